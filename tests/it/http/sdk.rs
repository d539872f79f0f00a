//! The module that pages load.

use reqwest::StatusCode;

use crate::serving::Node;

#[tokio::test]
async fn a_page_loads_the_module_and_its_types_and_keeps_them_as_long_as_they_are_the_same() {
    let (_home, node) = Node::alone().await;
    for (path, kind, word) in [
        ("/sdk/playmark.js", "text/javascript", "export class Playmark"),
        ("/sdk/playmark.d.ts", "application/typescript", "interface ResumePoint"),
    ] {
        let answer = node.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let header = |name| answer.headers()[name].to_str().expect("it is ASCII").to_owned();
        assert!(header("content-type").starts_with(kind), "{path}");
        assert_eq!(header("cache-control"), "no-cache", "{path}");
        let tag = header("etag");
        assert!(answer.text().await.expect("it is text").contains(word), "{path}");
        let again = node.get_with(path, "if-none-match", &tag).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(again.headers()["etag"].to_str().expect("it is ASCII"), tag, "{path}");
        let other = node.get_with(path, "if-none-match", "\"other\"").await;
        assert_eq!(other.status(), StatusCode::OK, "{path}");
    }
}
