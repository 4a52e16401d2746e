//! The style sheet, the script and the icon, compiled in.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};

type Asset = ([(HeaderName, &'static str); 2], &'static str);

pub(crate) async fn style() -> Asset {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "no-cache")], include_str!("assets/style.css"))
}

pub(crate) async fn script() -> Asset {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8"), (CACHE_CONTROL, "no-cache")], include_str!("assets/page.js"))
}

pub(crate) async fn icon() -> Asset {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "no-cache")], include_str!("assets/icon.svg"))
}
