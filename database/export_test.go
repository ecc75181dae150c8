package database

// For tests of what must survive any bytes.
var (
	FormatJID = formatJID
	ParseJID  = parseJID
)

// SQLiteURI is for benchmarks that open a file in another way than Open.
var SQLiteURI = sqliteURI
