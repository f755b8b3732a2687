//! The one integration test binary: linking Arrow and Parquet once is enough.

mod formats;
