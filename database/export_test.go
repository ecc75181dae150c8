package database

import "database/sql"

// For tests of what must survive any bytes.
var (
	FormatJID = formatJID
	ParseJID  = parseJID
)

// SQLiteURI is for benchmarks that open a file in another way than Open.
var SQLiteURI = sqliteURI

// KeepEvery is Held.Keep with another pause.
var KeepEvery = (*Held).keep

// LoseConnection lets a lock forget its connection, which the server goes on with until the caller closes it.
func LoseConnection(h *Held) *sql.Conn {
	h.lock.Lock()
	defer h.lock.Unlock()
	conn := h.conn
	h.conn = nil
	return conn
}

// HasConnection tells whether the lock has a connection.
func HasConnection(h *Held) bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.conn != nil
}
