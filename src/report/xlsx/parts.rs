//! The parts of a workbook (ECMA-376, part 1: SpreadsheetML) but its rows: what it consists of, its styles, its sheets.

use std::io::{self, Write};

use super::zip::ZipWriter;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const TYPES: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";

/// What `cellXfs` in [`STYLES`] has at place 1.
pub(super) const BOLD: &str = " s=\"1\"";

/// Calibri 11 as it is and bold. Excel takes the first two fills for its own, so there have to be these.
const STYLES: &str = "<fonts count=\"2\"><font><sz val=\"11\"/><name val=\"Calibri\"/></font>\
    <font><b/><sz val=\"11\"/><name val=\"Calibri\"/></font></fonts>\
    <fills count=\"2\"><fill><patternFill patternType=\"none\"/></fill>\
    <fill><patternFill patternType=\"gray125\"/></fill></fills>\
    <borders count=\"1\"><border><left/><right/><top/><bottom/><diagonal/></border></borders>\
    <cellStyleXfs count=\"1\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\"/></cellStyleXfs>\
    <cellXfs count=\"2\"><xf numFmtId=\"0\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\"/>\
    <xf numFmtId=\"0\" fontId=\"1\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyFont=\"1\"/></cellXfs>\
    <cellStyles count=\"1\"><cellStyle name=\"Normal\" xfId=\"0\" builtinId=\"0\"/></cellStyles>";

/// Writes all but the sheets, of which these are the names.
pub(super) fn write_frame(zip: &mut ZipWriter<'_>, title: &str, started: &str, names: &[String]) -> io::Result<()> {
    zip.add("[Content_Types].xml", |out| content_types(out, names.len()))?;
    zip.add("_rels/.rels", |out| {
        write!(out, "{DECLARATION}<Relationships xmlns=\"{PACKAGE}/relationships\">")?;
        write!(out, "<Relationship Id=\"rId1\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/>")?;
        let kind = format!("{PACKAGE}/relationships/metadata/core-properties");
        write!(out, "<Relationship Id=\"rId2\" Type=\"{kind}\" Target=\"docProps/core.xml\"/></Relationships>")
    })?;
    zip.add("docProps/core.xml", |out| {
        write!(out, "{DECLARATION}<cp:coreProperties xmlns:cp=\"{PACKAGE}/metadata/core-properties\"")?;
        write!(out, " xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\"")?;
        write!(
            out,
            " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><dc:title>{}</dc:title>",
            escaped(title)
        )?;
        if !started.is_empty() {
            write!(out, "<dcterms:created xsi:type=\"dcterms:W3CDTF\">{started}</dcterms:created>")?;
        }
        write!(out, "</cp:coreProperties>")
    })?;
    zip.add("xl/workbook.xml", |out| workbook(out, names))?;
    zip.add("xl/_rels/workbook.xml.rels", |out| {
        write!(out, "{DECLARATION}<Relationships xmlns=\"{PACKAGE}/relationships\">")?;
        for at in 1..=names.len() {
            let target = format!("worksheets/sheet{at}.xml");
            write!(out, "<Relationship Id=\"rId{at}\" Type=\"{OFFICE}/worksheet\" Target=\"{target}\"/>")?;
        }
        write!(out, "<Relationship Id=\"rId{}\" Type=\"{OFFICE}/styles\"", names.len() + 1)?;
        write!(out, " Target=\"styles.xml\"/></Relationships>")
    })?;
    zip.add("xl/styles.xml", |out| write!(out, "{DECLARATION}<styleSheet xmlns=\"{MAIN}\">{STYLES}</styleSheet>"))
}

fn content_types(out: &mut dyn Write, sheets: usize) -> io::Result<()> {
    write!(out, "{DECLARATION}<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\"")?;
    write!(out, " ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>")?;
    write!(out, "<Default Extension=\"xml\" ContentType=\"application/xml\"/>")?;
    let mut part = |name: &str, kind: &str| write!(out, "<Override PartName=\"/{name}\" ContentType=\"{kind}+xml\"/>");
    part("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties")?;
    part("xl/workbook.xml", &format!("{TYPES}.sheet.main"))?;
    part("xl/styles.xml", &format!("{TYPES}.styles"))?;
    for at in 1..=sheets {
        part(&format!("xl/worksheets/sheet{at}.xml"), &format!("{TYPES}.worksheet"))?;
    }
    write!(out, "</Types>")
}

fn workbook(out: &mut dyn Write, names: &[String]) -> io::Result<()> {
    write!(out, "{DECLARATION}<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\">")?;
    write!(out, "<bookViews><workbookView/></bookViews><sheets>")?;
    for (at, name) in (1..).zip(names) {
        write!(out, "<sheet name=\"{}\" sheetId=\"{at}\" r:id=\"rId{at}\"/>", cell_text(name))?;
    }
    write!(out, "</sheets></workbook>")
}

/// What stands before the rows of a sheet: its first row stays in sight, and its columns have these widths, in characters.
pub(super) fn open_sheet(out: &mut dyn Write, is_first: bool, widths: &[usize]) -> io::Result<()> {
    write!(out, "{DECLARATION}<worksheet xmlns=\"{MAIN}\"><sheetViews><sheetView")?;
    if is_first {
        write!(out, " tabSelected=\"1\"")?;
    }
    write!(out, " workbookViewId=\"0\"><pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\"")?;
    write!(out, " state=\"frozen\"/></sheetView></sheetViews>")?;
    // There have to be some, if they are named at all.
    if !widths.is_empty() {
        write!(out, "<cols>")?;
        for (at, width) in (1..).zip(widths) {
            // Five pixels between text and lines, of seven a digit of Calibri 11.
            write!(out, "<col min=\"{at}\" max=\"{at}\" width=\"{width}.7109375\" customWidth=\"1\"/>")?;
        }
        write!(out, "</cols>")?;
    }
    write!(out, "<sheetData>")
}

pub(super) fn close_sheet(out: &mut dyn Write) -> io::Result<()> {
    write!(out, "</sheetData></worksheet>")
}

/// Text as it stands in XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Text as it stands in a cell or the name of a sheet, where `_x0041_` would be an `A` (ST_Xstring).
pub(super) fn cell_text(text: &str) -> String {
    let mut told = escaped(text);
    let is_code = |bytes: &[u8]| bytes[5] == b'_' && bytes[1..5].iter().all(u8::is_ascii_hexdigit);
    let mut from = 0;
    while let Some(at) = told[from..].find("_x").map(|at| from + at) {
        from = at + 1;
        if told.as_bytes().get(at + 1..at + 7).is_some_and(is_code) {
            told.insert_str(at, "_x005F");
            from += "_x005F".len();
        }
    }
    told
}
