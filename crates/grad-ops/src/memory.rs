//! What the allocator does with the memory of dropped tensors.

/// Asks the C library to keep the memory of dropped tensors for the next ones, and returns whether
/// it agreed.
///
/// By default glibc returns every large block to the system, which then has to be mapped and
/// cleared page by page for the next tensor. That makes operations that only move memory (additions,
/// activations, pooling) two to three times as slow. A program that trains calls this once at its
/// start; the setting holds for the whole process. The memory is returned when the process ends.
///
/// Elsewhere than with glibc this does nothing and returns `false`.
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the function takes two numbers and may be called at any time.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30) == 1
                && libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX) == 1
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
}
