package phone

import "go.mau.fi/whatsmeow/types"

// Tick is how far a message of one's own came. A later one is larger.
type Tick int

// The order of what happens to a message. Failed is not on the way: it stays.
const (
	Failed Tick = iota - 1
	Pending
	Sent
	Delivered
	Read
)

// String is the word for it.
func (t Tick) String() string {
	switch t {
	case Failed:
		return "not sent"
	case Pending:
		return "sending"
	case Sent:
		return "sent"
	case Delivered:
		return "delivered"
	default:
		return "read"
	}
}

// tickOf returns what a receipt of the contact means; ok is false for receipts that mean something else.
func tickOf(kind types.ReceiptType) (tick Tick, ok bool) {
	switch kind {
	case types.ReceiptTypeDelivered:
		return Delivered, true
	case types.ReceiptTypeRead, types.ReceiptTypePlayed:
		return Read, true
	default:
		return 0, false
	}
}
