

mod jose;
