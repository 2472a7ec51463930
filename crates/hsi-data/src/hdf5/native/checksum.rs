//! Checksums of HDF5: of metadata, and of chunks.

/// Bob Jenkins' `lookup3` ("hashlittle"), which protects the newer metadata structures.
pub(super) fn lookup3(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let (mut a, mut b, mut c) = (start, start, start);
    let word = |part: &[u8], at: usize| {
        let mut raw = [0; 4];
        for (to, from) in raw.iter_mut().zip(part.get(at..).unwrap_or_default()) {
            *to = *from;
        }
        u32::from_le_bytes(raw)
    };
    // The last block, even a full one, is mixed differently.
    let (body, last) = bytes.split_at(bytes.len().saturating_sub(1) / 12 * 12);
    for block in body.chunks_exact(12) {
        a = a.wrapping_add(word(block, 0));
        b = b.wrapping_add(word(block, 4));
        c = c.wrapping_add(word(block, 8));
        for (first, second, third) in [(4, 6, 8), (16, 19, 4)] {
            a = a.wrapping_sub(c) ^ c.rotate_left(first);
            c = c.wrapping_add(b);
            b = b.wrapping_sub(a) ^ a.rotate_left(second);
            a = a.wrapping_add(c);
            c = c.wrapping_sub(b) ^ b.rotate_left(third);
            b = b.wrapping_add(a);
        }
    }
    if last.is_empty() {
        return c;
    }
    a = a.wrapping_add(word(last, 0));
    b = b.wrapping_add(word(last, 4));
    c = c.wrapping_add(word(last, 8));
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

/// Fletcher's checksum of 16-bit words, most significant byte first, which follows a chunk.
pub(super) fn fletcher32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (0_u32, 0_u32);
    // So many words fit before the sums can overflow.
    for part in bytes.chunks(720) {
        for word in part.chunks(2) {
            let second = word.get(1).copied().unwrap_or(0);
            low += u32::from(u16::from_be_bytes([word[0], second]));
            high += low;
        }
        low = (low & 0xffff) + (low >> 16);
        high = (high & 0xffff) + (high >> 16);
    }
    low = (low & 0xffff) + (low >> 16);
    high = (high & 0xffff) + (high >> 16);
    (high << 16) | low
}
