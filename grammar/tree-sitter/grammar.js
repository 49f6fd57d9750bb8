// The grammar of llmp for tree-sitter, rule by rule as in ../llmp.pest, which is the grammar of record.
// Line ends are part of the grammar. Where a line may go on (before an operator only) the scanner looks ahead and says so.

/// One or more, with commas between and behind, and line ends around the commas and at the end.
const list = ($, rule) =>
  seq(
    rule,
    repeat(seq(optional($._gap), ",", optional($._gap), rule)),
    optional(seq(optional($._gap), ",")),
    optional($._gap),
  );

/// Entries of braces: a comma or a line end behind each but the last.
const entries = ($, rule) => {
  const between = choice(seq(",", optional($._gap)), $._gap);
  return seq("{", optional($._gap), optional(seq(rule, repeat(seq(between, rule)), optional(between))), "}");
};

const RESERVED = [
  "use", "param", "let", "check", "variant", "rounds", "for", "in", "if", "then", "else", "and", "or", "not", "mod",
  "like", "true", "false", "none",
];

module.exports = grammar({
  name: "llmp",
  extras: () => [/[ \t]/],
  word: ($) => $.name,
  reserved: { global: () => RESERVED },
  externals: ($) => [$._continues, $._blank, $.suffix, $._error],

  rules: {
    file: ($) =>
      seq(
        optional($._gap),
        optional(
          seq(choice($.edition, $._item), repeat(seq($._gap, $._item)), optional($._gap)),
        ),
        optional($.comment),
      ),
    comment: () => token(seq("#", /[^\r\n]*/)),
    _newline: () => /\r\n|\r|\n/,
    // Under a name, so that a line end that is missing is seen.
    _gap: ($) => repeat1(seq(optional($.comment), alias($._newline, "\n"))),
    edition: ($) => seq("llmp", alias(/[0-9]+/, $.number)),

    _item: ($) =>
      seq(
        repeat($.attr),
        choice(
          $.use_item,
          $.param_item,
          $.let_item,
          $.check_item,
          $.variant_item,
          $.rounds_item,
          $.decl,
        ),
      ),
    attr: ($) => seq("@", $.name, optional($.args), $._gap),
    use_item: ($) => seq("use", choice($.use_names, $.name), "from", $.string),
    use_names: ($) => seq("{", optional($._gap), list($, $.use_name), "}"),
    use_name: ($) => seq($.name, optional(seq("as", $.name))),
    param_item: ($) => seq("param", field("name", $.name), ":", $.type_ref, optional(seq("=", $._expr))),
    let_item: ($) => seq("let", field("name", $.name), optional(seq(":", $.type_ref)), "=", $._value),
    check_item: ($) => seq("check", $._expr, optional($._gap), "else", $.string),
    variant_item: ($) => seq("variant", field("name", $.name), $.block),
    rounds_item: ($) =>
      seq(
        "rounds", field("name", $.name), "for", $.name, "in", $._atom, "..", $._atom,
        "{", optional($._gap),
        optional(seq($._round_member, repeat(seq($._gap, $._round_member)), optional($._gap))),
        "}",
      ),
    _round_member: ($) => choice($.carry, $.next, $._item),
    carry: ($) => seq("carry", field("name", $.name), "=", $._value),
    next: ($) => seq("next", field("name", $.name), "=", $._value),
    decl: ($) =>
      seq(
        field("kind", $.name),
        field("name", $.name),
        optional(choice($.params, $.index)),
        optional(seq(":", $.type_ref)),
        choice(seq("like", $.path, $.block), $.block, seq("=", $._value)),
      ),
    params: ($) => seq("(", optional($._gap), optional(list($, $.param)), ")"),
    param: ($) => seq(field("name", $.name), ":", $.type_ref, optional(seq("=", $._expr))),
    index: ($) => seq("[", $.name, "in", $._expr, "]"),

    block: ($) => entries($, $.member),
    member: ($) => seq(repeat($.attr), $.target, "=", $._value),
    target: ($) => seq($.name, repeat(choice(seq(".", $.name), $.index_get))),
    _value: ($) => choice($._expr, seq($._gap, $.text_block)),

    type_ref: ($) => seq($._type_atom, optional("?"), optional(seq("in", $._expr))),
    _type_atom: ($) => choice($.record_type, $.type_name),
    type_name: ($) => seq($.name, optional(seq("[", $.type_ref, repeat(seq(",", $.type_ref)), "]"))),
    record_type: ($) => entries($, $.type_field),
    type_field: ($) => seq($.name, ":", $.type_ref),

    _expr: ($) => choice($.if_expr, $.expr),
    expr: ($) => seq($.unary, repeat(seq(optional(seq($._continues, $._gap)), $.infix, $.unary))),
    if_expr: ($) =>
      seq("if", $._expr, optional($._gap), "then", $._expr, optional($._gap), "else", $._expr),
    // A brace behind an operand belongs to it.
    unary: ($) => prec.right(seq(repeat($.prefix), $._primary, repeat($._postfix))),
    prefix: () => choice("-", "not"),
    infix: () =>
      choice("|>", "==", "!=", "<=", ">=", "<", ">", "..", "+", "-", "*", "/", "and", "or", "mod", "in"),
    _postfix: ($) => choice($.field_get, $.index_get, $.args, $.block),
    field_get: ($) => seq(".", $.name),
    index_get: ($) => seq("[", optional($._gap), $._expr, optional($._gap), "]"),
    args: ($) => seq("(", optional($._gap), optional(list($, $.arg)), ")"),
    arg: ($) => seq(optional(seq(field("name", $.name), "=")), $._expr),
    _primary: ($) =>
      choice(
        $.quantity, $.raw_string, $.string, $.bool, $.none, $.list, $.record, $.paren, $.column, $.name,
      ),
    _atom: ($) => choice($.quantity, $.path),
    paren: ($) => seq("(", optional($._gap), $._expr, optional($._gap), ")"),
    record: ($) => $.block,
    list: ($) =>
      seq("[", optional($._gap), optional(choice(list($, $._expr), seq($._expr, $.comp))), "]"),
    comp: ($) =>
      seq(
        optional($._gap), "for", $.name, "in", $._expr, optional($._gap),
        optional(seq("if", $._expr, optional($._gap))),
      ),
    column: ($) => seq(".", $.name),
    path: ($) => seq($.name, repeat(seq(".", $.name))),
    name: () => /[A-Za-z_][A-Za-z0-9_]*/,
    bool: () => choice("true", "false"),
    none: () => "none",

    quantity: ($) => seq($.number, optional($.suffix), optional(seq($._blank, alias($.name, $.unit)))),
    number: () => /[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?/,
    string: ($) =>
      seq('"', repeat(choice($.brace, $.interp, $.escape, $.str_text)), token.immediate('"')),
    brace: () => token.immediate(choice("{{", "}}")),
    interp: ($) => seq(token.immediate("{"), $._expr, "}"),
    escape: () => token.immediate(/\\[^\r\n]/),
    str_text: () => token.immediate(/[^"\\{}\r\n]+|\}/),
    raw_string: () => /r"[^"\r\n]*"/,
    text_block: () => /\\\\[^\r\n]*((\r\n|\r|\n)[ \t]*\\\\[^\r\n]*)*/,
  },
});
