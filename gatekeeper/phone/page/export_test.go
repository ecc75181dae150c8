package page

// Span and Spans are what formatted text is cut into.
type Span = span

var Spans = spans
