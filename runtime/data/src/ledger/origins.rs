//! Which source a document came from: its id begins with the label of its file.

/// Sources by the labels of their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// Names of the sources.
    names: Vec<String>,
    /// Labels, sorted, with the number of their source.
    labels: Vec<(String, usize)>,
}

impl Origins {
    /// Sources with the labels of their files. Where two sources read one file, its documents count for the first.
    pub fn new(sources: Vec<(String, Vec<String>)>) -> Origins {
        let mut origins = Origins::default();
        for (name, labels) in sources {
            let number = origins.names.iter().position(|own| *own == name).unwrap_or_else(|| {
                origins.names.push(name);
                origins.names.len() - 1
            });
            origins.labels.extend(labels.into_iter().map(|label| (label, number)));
        }
        origins.labels.sort();
        origins.labels.dedup_by(|b, a| a.0 == b.0);
        origins
    }

    /// The source of a document; `None` where no file of a source is named in its id.
    pub fn of(&self, id: &str) -> Option<usize> {
        if let [name] = &self.names[..]
            && !name.is_empty()
        {
            return Some(0);
        }
        let label = id.rsplit_once('#').map_or(id, |(label, _)| label);
        let found = self.labels.binary_search_by(|(own, _)| own.as_str().cmp(label));
        found.ok().and_then(|at| self.labels.get(at)).map(|(_, number)| *number)
    }

    /// Name of a source; documents without one come from elsewhere.
    pub fn name(&self, number: Option<usize>) -> &str {
        number.and_then(|n| self.names.get(n)).map_or("elsewhere", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_source() {
        let labels = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let origins = Origins::new(vec![
            ("web".into(), labels(&["data:b.warc.gz", "data:a.warc.gz"])),
            ("books".into(), labels(&["books/a#1.txt", "data:a.warc.gz"])),
        ]);
        let name = |id: &str| origins.name(origins.of(id)).to_owned();
        assert_eq!(name("data:a.warc.gz#17"), "web");
        assert_eq!(name("books/a#1.txt#0"), "books");
        assert_eq!(name("made/by/a/model#0"), "elsewhere");
        assert_eq!(Origins::default().name(None), "elsewhere");
    }
}
