//! mae-vit
