package connector

// Fields of the log that name a message. Lines with both an event's id and a message's join the two sides; `postern trace` goes by
// them.
const (
	// fieldEvent is an event of Matrix, fieldEvents several.
	fieldEvent  = "event_id"
	fieldEvents = "event_ids"
	fieldRoom   = "room_id"
	// fieldMessage is the id that a message has in the chat channel, as its sender chose it.
	fieldMessage = "message_id"
)
