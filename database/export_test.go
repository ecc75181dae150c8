package database

// For tests of what must survive any bytes.
var (
	FormatJID = formatJID
	ParseJID  = parseJID
)
