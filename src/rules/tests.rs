use super::*;

#[test]
fn canary_loads() {
    let path = "/work/shared/corpus/canary-rules.yaml";
    let text = std::fs::read_to_string(path).unwrap();
    match load(&[("canary-rules.yaml".to_owned(), text)]) {
        Ok(set) => println!("{:#?}", set.for_database("x").unwrap().tables.keys()),
        Err(findings) => panic!("{findings}"),
    }
}
