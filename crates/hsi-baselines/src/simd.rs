//! Loops compiled for several instruction sets, the best one chosen at run time.
//!
//! They give the same numbers where a body does not ask for [`multiply_add`].

use ndarray::NdFloat;

/// Returns `a * b + c`, in one step where that is an instruction.
#[inline(always)]
pub(crate) fn multiply_add<T: NdFloat, const FMA: bool>(a: T, b: T, c: T) -> T {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Asks for values that are needed soon, where the processor can be asked.
#[inline(always)]
pub(crate) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(64 / size_of::<T>().clamp(1, 64)) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is that of a value, and nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Defines functions whose body is compiled for the baseline of the target, for AVX2 and for
/// AVX-512. The constant `FMA` in the body says whether fused multiply-add is an instruction there.
macro_rules! vectorized {
    ($(
        $(#[$meta:meta])*
        fn $name:ident $(<$T:ident: $bound:ident>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?
        $body:block
    )*) => {$(
        $(#[$meta])*
        fn $name $(<$T: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$($T: $bound,)? const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$T: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
                body::<$($T,)? true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512 $(<$T: $bound>)? ($($arg: $ty),*) $(-> $ret)? {
                body::<$($T,)? true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: the processor has what the function needs.
                    return unsafe { avx512 $(::<$T>)? ($($arg),*) };
                }
                // SAFETY: as above.
                return unsafe { avx2 $(::<$T>)? ($($arg),*) };
            }
            body::<$($T,)? false>($($arg),*)
        }
    )*};
}

pub(crate) use vectorized;
