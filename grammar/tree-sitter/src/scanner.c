// What needs a look ahead: whether an expression goes on in a later line (its next word, behind line ends and comments, is
// an operator), and whether a unit stands behind a number (blanks, then a word that is not reserved). Letters that touch a
// number are read here too: as a token of grammar.js they would keep tree-sitter from telling `then` from `thenx`.
#include "tree_sitter/parser.h"

#include <string.h>

enum { CONTINUES, BLANK, SUFFIX, ERROR };

void *tree_sitter_llmp_external_scanner_create(void) { return NULL; }
void tree_sitter_llmp_external_scanner_destroy(void *payload) { (void)payload; }
unsigned tree_sitter_llmp_external_scanner_serialize(void *payload, char *buffer) {
  (void)payload, (void)buffer;
  return 0;
}
void tree_sitter_llmp_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
  (void)payload, (void)buffer, (void)length;
}

static bool letter(int32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool word_char(int32_t c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; }

static bool line_end(int32_t c) { return c == '\n' || c == '\r'; }

// Reads a word; whether it is one of a list.
static bool one_of(TSLexer *lexer, const char *const *words) {
  char read[16] = {0};
  unsigned length = 0;
  while (word_char(lexer->lookahead)) {
    if (length < sizeof read - 1) read[length++] = (char)lexer->lookahead;
    lexer->advance(lexer, false);
  }
  while (*words && strcmp(*words, read) != 0) words++;
  return *words != NULL;
}

static const char *const OPERATORS[] = {"and", "or", "mod", "in", NULL};
static const char *const RESERVED[] = {
  "use", "param", "let", "check", "variant", "rounds", "for", "in", "if", "then", "else", "and", "or", "not", "mod",
  "like", "true", "false", "none", NULL,
};

static bool operator_ahead(TSLexer *lexer) {
  int32_t first = lexer->lookahead, second;
  if (word_char(first)) return one_of(lexer, OPERATORS);
  switch (first) {
    case '|': second = '>'; break;
    case '=': case '!': second = '='; break;
    case '.': second = '.'; break;
    case '<': case '>': case '+': case '-': case '*': case '/': return true;
    default: return false;
  }
  lexer->advance(lexer, false);
  return lexer->lookahead == second;
}

bool tree_sitter_llmp_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  (void)payload;
  if (valid[ERROR]) return false;
  if (valid[SUFFIX] && (lexer->lookahead == '%' || letter(lexer->lookahead))) {
    bool percent = lexer->lookahead == '%';
    do lexer->advance(lexer, false);
    while (!percent && word_char(lexer->lookahead) && lexer->lookahead != '_');
    lexer->mark_end(lexer);
    lexer->result_symbol = SUFFIX;
    return true;
  }
  if (!valid[CONTINUES] && !valid[BLANK]) return false;
  lexer->mark_end(lexer);
  bool blank = false, later = false;
  while (!lexer->eof(lexer)) {
    int32_t c = lexer->lookahead;
    if (c == '#') {
      while (!lexer->eof(lexer) && !line_end(lexer->lookahead)) lexer->advance(lexer, false);
    } else if (c == ' ' || c == '\t' || line_end(c)) {
      blank = true;
      later |= line_end(c);
      lexer->advance(lexer, false);
    } else {
      break;
    }
  }
  if (!later) {
    if (!valid[BLANK] || !blank || !letter(lexer->lookahead) || one_of(lexer, RESERVED)) return false;
    lexer->result_symbol = BLANK;
    return true;
  }
  if (!valid[CONTINUES] || !operator_ahead(lexer)) return false;
  lexer->result_symbol = CONTINUES;
  return true;
}
