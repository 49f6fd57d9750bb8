//! Columns that `llmp.lock` knows: an open row becomes a closed one.

use llmp_stdlib::hub::Named;
use llmp_stdlib::{Call, Ty, Value};

use super::Checker;
use crate::program::Row;

impl Checker<'_> {
    /// The row of a source, closed by the columns that were measured; declared columns win.
    pub(crate) fn locked_row(&self, call: &Call, mut row: Row) -> Row {
        if !row.open {
            return row;
        }
        let path = self.source(&call.name).and_then(|signature| {
            let param = signature.params.iter().find(|p| matches!(p.ty, Ty::Path))?;
            if let Some(Value::Text(path)) = call.args.get(param.name) { Some(path.clone()) } else { None }
        });
        let path = Named::of(&call.name, &call.args).map(|named| named.key()).or(path);
        let input = path.and_then(|path| self.loaded.locked.input(&call.name, &path));
        let Some(input) = input else { return row };
        // Another column is read as the text than the one that was measured: nothing is known.
        if let (Some(Value::Text(text)), Some(locked)) = (call.args.get("text"), &input.text)
            && text != locked
        {
            return row;
        }
        if let Some(columns) = input.columns() {
            row.columns.extend(columns);
            row.open = false;
        }
        row
    }
}
