use super::*;

fn table(name: &str, columns: &[&str], rows: &[&[&str]]) -> DataTable {
    let cell = |json: &&str| Cell::from_json(json).expect("JSON");
    DataTable {
        name: name.into(),
        columns: columns.iter().map(|column| (*column).into()).collect(),
        rows: rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
        ..DataTable::default()
    }
}

fn prices() -> DataTable {
    let rows: [&[&str]; 4] = [
        &["\"a\"", "1.10", "\"Acme\"", "{\"b\": 1, \"a\": [2]}"],
        &["\"a\"", "0.9", "\"Bits\"", "null"],
        &["\"b\"", "12", "\"Acme\"", "true"],
        &["\"c\"", "null", "\"x\\u0000y\"", "null"],
    ];
    table("prices", &["sku", "price", "vendor", "select"], &rows)
}

fn database(tables: &[DataTable]) -> Database {
    let mut database = Database::new(0, &Redactor::default()).expect("in memory");
    tables.iter().for_each(|table| database.add(table).expect("a table"));
    database
}

fn query(sql: &str) -> String {
    let result = database(&[prices()]).query(sql).expect(sql);
    format!("{} {}", result.columns.join(","), serde_json::to_string(&result.rows).expect("data"))
}

fn refused(sql: &str) -> String {
    database(&[prices()]).query(sql).expect_err(sql).one_line()
}

#[test]
fn rows_are_queried() {
    let cheapest = "select sku, min(price) as price, vendor from prices group by sku order by sku";
    assert_eq!(query(cheapest), r#"sku,price,vendor [["a",0.9,"Bits"],["b",12,"Acme"],["c",null,"x\u0000y"]]"#);
    assert_eq!(
        query("select sum(price) s, count(*) n, avg(price) a from prices"),
        "s,n,a [[14.0,4,4.666666666666667]]"
    );
    assert_eq!(query("select \"select\" ->> '$.a[0]' as x from prices limit 1"), "x [[2]]");
    assert_eq!(query("select median(price) m, percentile(price, 100) p from prices"), "m,p [[1.1,12.0]]");
    assert_eq!(query("select median(price) m from prices where sku = 'c'"), "m [[null]]");
    assert_eq!(
        query("select host('https://u:p@h.example:8443/x') h, host(null) n"),
        r#"h,n [["h.example:8443",null]]"#
    );
}

#[test]
fn the_run_before_is_beside_this_one() {
    let mut database = database(&[prices()]);
    database.add_last(&table("prices", &["sku", "price"], &[&["\"a\"", "1"], &["\"b\"", "12"]])).expect("a table");
    let sql = "select sku, round(p.price - l.price, 2) as change from prices p join last.prices l using (sku) \
               where change <> 0 order by change";
    let result = database.query(sql).expect("changes");
    assert_eq!(serde_json::to_string(&result.rows).expect("data"), r#"[["a",-0.1],["a",0.1]]"#);
}

/// Integers beyond 64 bits and long decimals are numbers that no double holds.
#[test]
fn digits_are_kept_and_sums_of_them_refused() {
    let ids =
        table("ids", &["id", "n"], &[&["1000000000000000000002", "1"], &["9", "2"], &["1000000000000000000001", "3"]]);
    let mut database = database(&[ids]);
    let sorted = database.query("select id, n from ids where id > 5 order by id").expect("sorted");
    let expected = r#"[["9",2],[1000000000000000000001,3],[1000000000000000000002,1]]"#;
    assert_eq!(serde_json::to_string(&sorted.rows).expect("data"), expected);
    for sum in ["sum(id)", "avg(id)", "total(id)"] {
        let error = database.query(&format!("select {sum} from ids")).expect_err(sum).one_line();
        assert!(error.contains("more digits than SQLite adds up") && error.contains("cast"), "{error}");
    }
    let rest = database.query("select sum(n), avg(n), total(n), sum(cast(id as real)) > 1e21 from ids").expect("sums");
    assert_eq!(serde_json::to_string(&rest.rows).expect("data"), "[[6,2.0,6.0,1]]");
}

#[test]
fn mistakes_name_the_place_and_what_there_is() {
    let error = refused("select sku,\n  pric from prices");
    assert_eq!(error, "line 2, column 3: no such column: pric; prices has sku, price, vendor, select");
    assert_eq!(refused("select * from prizes"), "line 1, column 15: no such table: prizes; the tables are prices");
    assert!(refused("selec 1").starts_with("line 1, column 1: near \"selec\": syntax error"));
    assert_eq!(refused("select 1; select 2"), "there is more than one statement: write one select");
    assert_eq!(refused("select ?"), "the query has a parameter, ?: write the value itself");
    assert_eq!(
        refused("select sku, vendor as sku from prices"),
        "two columns of the result are named \"sku\": name one of them otherwise, with \"as\""
    );
    assert!(refused("select median(sku) from prices").contains("\"a\" is text"));
    assert!(refused("select percentile(price, 101) from prices").contains("from 0 to 100"));
    for writes in ["delete from prices", "drop table prices", "attach 'x' as y", "pragma user_version = 1"] {
        assert!(refused(writes).contains("may only read"), "{}", refused(writes));
    }
}

#[test]
fn a_query_that_needs_too_much_is_refused() {
    let many: Vec<Vec<Cell>> = (0..2000u64).map(|i| vec![Cell::from(i)]).collect();
    let mut database =
        database(&[DataTable { name: "t".into(), columns: vec!["i".into()], rows: many, ..DataTable::default() }]);
    let rows = "select a.i, b.i as j, 'something long enough to count' as k from t a, t b";
    assert!(database.query(rows).expect_err("rows").one_line().contains("64 MiB"));
    let memory = "with recursive n (i, x) as (select 1, randomblob(20000000) union all \
                  select i + 1, randomblob(20000000) from n limit 20) select count(*) from (select x from n order by x)";
    let error = database.query(memory).expect_err("memory").one_line();
    assert!(error.contains("256 MiB"), "{error}");
}

/// A query went on for its 30 s although the run had no more time.
#[test]
fn a_query_ends_when_the_run_has_no_more_time() {
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let error = database(&[]).until(IsOver::new(|| true)).query(endless).expect_err("endless").one_line();
    assert!(error.contains("the run has no more time"), "{error}");
}

#[test]
fn names_that_sql_takes_for_one_get_numbers() {
    let odd = table("order by", &["a", "A", "a_2", "q\"uote", ""], &[&["1", "2", "3", "4", "5"]]);
    let mut database = database(&[odd]);
    let result = database.query("select * from \"order by\"").expect("all");
    assert_eq!(result.columns.join(","), "a,A_2,a_2_2,q\"uote,");
    let again = database.add(&table("ORDER BY", &["x"], &[])).expect_err("twice").one_line();
    assert!(again.starts_with("two tables are named \"ORDER BY\""), "{again}");
}

#[test]
fn secrets_cannot_be_taken_apart() {
    let mut database = Database::new(0, &Redactor::new(["t0p-s3cret".to_owned()])).expect("in memory");
    database.add(&table("t", &["x"], &[&["\"key t0p-s3cret\""]])).expect("a table");
    let result = database.query("select upper(x) as x, substr(x, 5, 5) as y from t").expect("shown");
    assert_eq!(serde_json::to_string(&result.rows).expect("data"), r#"[["KEY [REDACTED]","[reda"]]"#);
    let mut database = Database::new(0, &Redactor::new(["12345678".to_owned()])).expect("in memory");
    database.add(&table("t", &["x"], &[&["12345678"], &["1234567"]])).expect("a table");
    let result = database.query("select x / 10 as x, x || '' as y from t").expect("shown");
    assert_eq!(serde_json::to_string(&result.rows).expect("data"), r#"[[0,"0"],[123456,"1234567"]]"#);
}

#[test]
fn large_tables_are_in_a_file_that_goes_with_the_database() {
    let mut database = Database::new(IN_MEMORY + 1, &Redactor::default()).expect("a file");
    database.add(&prices()).expect("a table");
    assert_eq!(database.query("select count(*) from prices").expect("count").rows[0][0], Cell::from(4i64));
    let file = database._file.as_ref().map(|file| file.path().to_owned()).expect("a file");
    assert!(file.exists());
    drop(database);
    assert!(!file.exists());
}
