//! Scalars in TensorBoard's event files.
//!
//! A file is a sequence of records (length, masked CRC-32C of the length, data, masked CRC-32C of
//! the data); the data is a serialised `Event` protocol buffer, of which only wall time, step and
//! scalar summaries are written here.
//!
//! # References
//! `tensorflow/core/util/event.proto` and `tensorflow/core/lib/io/record_writer.h`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Error, Result};

/// Appends scalars to an event file.
#[derive(Debug)]
pub struct ScalarWriter {
    path: PathBuf,
    file: File,
}

impl ScalarWriter {
    /// Starts an event file in a folder.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(folder: &Path) -> Result<Self> {
        crate::files::create_dir(folder)?;
        let seconds = wall_time() as u64;
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.hsi-train"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| Error::io(&path, e))?;
        let mut writer = Self { path, file };
        let mut version = double_field(1, wall_time());
        version.extend(bytes_field(3, b"brain.Event:2"));
        writer.record(&version)?;
        Ok(writer)
    }

    /// Appends the values of one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, step: usize, scalars: &[(&str, f64)]) -> Result<()> {
        let mut summary = Vec::new();
        for (tag, value) in scalars {
            let mut entry = bytes_field(1, tag.as_bytes());
            entry.push(2 << 3 | 5);
            entry.extend((*value as f32).to_le_bytes());
            summary.extend(bytes_field(1, &entry));
        }
        let mut event = double_field(1, wall_time());
        event.push(2 << 3);
        event.extend(varint(step as u64));
        event.extend(bytes_field(5, &summary));
        self.record(&event)
    }

    fn record(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_crc(&length).to_le_bytes());
        record.extend(data);
        record.extend(masked_crc(data).to_le_bytes());
        self.file.write_all(&record).map_err(|e| Error::io(&self.path, e))
    }
}

fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn bytes_field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

fn double_field(number: u8, value: f64) -> Vec<u8> {
    let mut field = vec![number << 3 | 1];
    field.extend(value.to_le_bytes());
    field
}

/// CRC-32C (Castagnoli), bit by bit: event files are small.
fn crc32c(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_castagnoli() {
        // The check value of the CRC catalogue.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_frame_their_data() -> Result<()> {
        let folder = tempfile::tempdir().map_err(|e| Error::io("tempdir", e))?;
        let mut writer = ScalarWriter::new(folder.path())?;
        writer.write(300, &[("loss/train", 0.5), ("loss/validation", 0.25)])?;
        let bytes = std::fs::read(&writer.path).map_err(|e| Error::io(&writer.path, e))?;
        let mut at = 0;
        let mut records = Vec::new();
        while at < bytes.len() {
            let mut length = [0; 8];
            length.copy_from_slice(&bytes[at..at + 8]);
            let size = u64::from_le_bytes(length) as usize;
            let data = &bytes[at + 12..at + 12 + size];
            assert_eq!(bytes[at + 8..at + 12], masked_crc(&length).to_le_bytes());
            assert_eq!(bytes[at + 12 + size..at + 16 + size], masked_crc(data).to_le_bytes());
            records.push(data.to_vec());
            at += 16 + size;
        }
        assert_eq!(records.len(), 2);
        assert!(records[0].ends_with(b"brain.Event:2"));
        let tag = b"loss/validation";
        assert!(records[1].windows(tag.len()).any(|window| window == tag));
        assert_eq!(records[1][9..12], [2 << 3, 0xac, 0x02], "step 300 as a varint");
        Ok(())
    }
}
