//! Loops compiled for several instruction sets, the best one chosen at run time.

/// Instruction sets that [`vectorized`] compiles for besides the baseline of the target.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Baseline,
    Avx2,
    Avx512,
}

/// What this processor has. The result of the detection is cached by the standard library.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn level() -> Level {
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
        Level::Baseline
    } else if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
    {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

/// Defines functions over a number type `T` whose body is compiled once for every [`Level`]. The
/// constant `FMA` in the body says whether fused multiply-add is an instruction there.
macro_rules! vectorized {
    ($(
        $(#[$meta:meta])*
        fn $name:ident<$T:ident>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, clippy::allow_attributes)]
        pub(crate) fn $name<$T: $crate::kernel::Real>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$T: $crate::kernel::Real, const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$T: $crate::kernel::Real>($($arg: $ty),*) $(-> $ret)? {
                body::<$T, true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512<$T: $crate::kernel::Real>($($arg: $ty),*) $(-> $ret)? {
                body::<$T, true>($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            match $crate::kernel::simd::level() {
                // SAFETY: the processor has what the function needs.
                $crate::kernel::simd::Level::Avx512 => return unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                $crate::kernel::simd::Level::Avx2 => return unsafe { avx2($($arg),*) },
                $crate::kernel::simd::Level::Baseline => {}
            }
            body::<$T, { cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    )*};
}

pub(crate) use vectorized;
