//! Reading and building stanzas: the few shapes the whole crate uses.

use std::borrow::Cow;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server};

/// The server itself, `s.whatsapp.net` without a user.
pub(crate) fn server() -> Jid {
    Jid::new("", Server::Pn)
}

pub(crate) fn attribute<'a>(node: &'a Node, name: &str) -> Option<Cow<'a, str>> {
    node.attrs.get(name).map(|value| value.as_str())
}

/// An attribute as an owned text, empty when absent.
pub(crate) fn owned(node: &Node, name: &str) -> String {
    attribute(node, name).map(Cow::into_owned).unwrap_or_default()
}

pub(crate) fn jid(node: &Node, name: &str) -> Option<Jid> {
    node.attrs.get(name).and_then(wacore_binary::NodeValue::to_jid)
}

/// The bytes a node holds, empty when it holds none.
pub(crate) fn bytes(node: Option<&Node>) -> Vec<u8> {
    match node.and_then(|node| node.content.as_ref()) {
        Some(NodeContent::Bytes(bytes)) => bytes.clone(),
        Some(NodeContent::String(text)) => text.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// Every id a receipt speaks of: its own and those in its `<list>`.
pub(crate) fn receipt_ids(node: &Node) -> Vec<String> {
    let listed = node.get_optional_child("list").into_iter().flat_map(|list| list.get_children_by_tag("item"));
    std::iter::once(owned(node, "id")).chain(listed.map(|item| owned(item, "id"))).filter(|id| !id.is_empty()).collect()
}

pub(crate) fn holding(tag: &'static str, bytes: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(tag).bytes(bytes).build()
}

pub(crate) fn iq_result(id: &str, content: Option<Node>) -> Node {
    let answer = NodeBuilder::new("iq").attr("from", server()).attr("type", "result").attr("id", id);
    match content {
        Some(content) => answer.children([content]).build(),
        None => answer.build(),
    }
}

pub(crate) fn iq_error(id: &str, code: u16, text: &'static str) -> Node {
    let error = NodeBuilder::new("error").attr("code", code).attr("text", text).build();
    NodeBuilder::new("iq").attr("from", server()).attr("type", "error").attr("id", id).children([error]).build()
}

/// `<stream:error><conflict/></stream:error>`; `code` is 401 when the device was removed.
pub(crate) fn conflict(kind: &'static str, code: Option<&'static str>) -> Node {
    let mut error = NodeBuilder::new("stream:error");
    if let Some(code) = code {
        error = error.attr("code", code);
    }
    error.children([NodeBuilder::new("conflict").attr("type", kind).build()]).build()
}

/// What a client puts before its next connection, so that the edge finds its way. Here all ways lead to one place.
pub(crate) fn edge_routing() -> Node {
    let routing = NodeBuilder::new("edge_routing").children([holding("routing_info", *b"sim")]).build();
    NodeBuilder::new("ib").attr("from", server()).children([routing]).build()
}

/// The ack of a stanza of ours: `class` is the stanza's tag.
pub(crate) fn ack(class: &'static str, node: &Node, now: u64) -> NodeBuilder {
    let mut ack = NodeBuilder::new("ack").attr("class", class).attr("id", owned(node, "id")).attr("t", now);
    if let Some(to) = jid(node, "to") {
        ack = ack.attr("from", to);
    }
    ack
}

/// A readable form of a stanza, cut at `limit` characters; ciphertexts and keys show as hexadecimal.
pub(crate) fn to_xml(node: &Node, limit: usize) -> String {
    let mut xml = String::new();
    write_xml(node, limit, &mut xml);
    if xml.len() > limit {
        let cut = (0..=limit).rev().find(|at| xml.is_char_boundary(*at)).unwrap_or(0);
        xml.truncate(cut);
        xml.push('…');
    }
    xml
}

fn write_xml(node: &Node, limit: usize, xml: &mut String) {
    if xml.len() > limit {
        return;
    }
    xml.push('<');
    xml.push_str(&node.tag);
    for (name, value) in node.attrs.iter() {
        xml.push(' ');
        xml.push_str(name);
        xml.push_str("=\"");
        escape(&value.as_str(), xml);
        xml.push('"');
    }
    let Some(content) = &node.content else {
        xml.push_str("/>");
        return;
    };
    xml.push('>');
    match content {
        NodeContent::Nodes(children) => children.iter().for_each(|child| write_xml(child, limit, xml)),
        NodeContent::Bytes(bytes) => xml.push_str(&hex::encode(bytes.get(..limit).unwrap_or(bytes))),
        NodeContent::String(text) => escape(text, xml),
    }
    xml.push_str("</");
    xml.push_str(&node.tag);
    xml.push('>');
}

fn escape(text: &str, xml: &mut String) {
    for character in text.chars() {
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '"' => xml.push_str("&quot;"),
            other => xml.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stanza_reads_as_xml_with_its_special_characters_escaped() {
        let node = NodeBuilder::new("a").attr("b", "<\"&").children([holding("c", [0xFF, 0x01])]).build();
        assert_eq!(to_xml(&node, 100), "<a b=\"&lt;&quot;&amp;\"><c>ff01</c></a>");
    }

    #[test]
    fn a_long_stanza_is_cut() {
        let xml = to_xml(&holding("a", vec![0; 1000]), 50);
        assert!(xml.ends_with('…') && xml.chars().count() == 51, "{xml}");
    }

    #[test]
    fn a_receipt_speaks_of_its_own_id_and_the_listed_ones() {
        let item = |id: &'static str| NodeBuilder::new("item").attr("id", id).build();
        let list = NodeBuilder::new("list").children([item("B"), item("C")]).build();
        let receipt = NodeBuilder::new("receipt").attr("id", "A").children([list]).build();
        assert_eq!(receipt_ids(&receipt), ["A", "B", "C"]);
    }
}
