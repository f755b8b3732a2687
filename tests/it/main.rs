//! The one integration test binary: linking Arrow and Parquet once is enough.

<<<<<<< HEAD
mod tidy;
=======

mod jose;
>>>>>>> keys
