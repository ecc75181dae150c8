package jsuser

import (
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// NoShield is what an event has that Element shows without any warning.
const NoShield = "NONE"

// Sight is an event as Element shows it.
type Sight struct {
	// Event is decrypted, if it could be.
	Event *event.Event `json:"event"`
	// Encrypted tells how it was sent.
	Encrypted bool `json:"encrypted"`
	// Session is the Megolm session that it was encrypted in.
	Session id.SessionID `json:"session"`
	// Redacted events have no content, and nothing is shown beside them.
	Redacted bool `json:"redacted"`
	// Failure is the code of why it cannot be read, such as MEGOLM_UNKNOWN_INBOUND_SESSION_ID; empty if it can.
	Failure string `json:"failure"`
	// Shield is NONE, GREY or RED for what could be decrypted, and Reason why, such as MISMATCHED_SENDER.
	Shield string `json:"shield"`
	Reason string `json:"reason"`
}

// parse makes the content readable. An event of an unknown type stays as it is.
func (s *Sight) parse() {
	if s.Event.StateKey != nil {
		s.Event.Type.Class = event.StateEventType
	} else {
		s.Event.Type.Class = event.MessageEventType
	}
	_ = s.Event.Content.ParseRaw(s.Event.Type)
}

// Blemish is what Element shows beside the event, or instead of it: empty for one that is fine. What Matrix never encrypts, state, is.
func (s *Sight) Blemish() string {
	switch {
	case s.Event.StateKey != nil || s.Redacted:
		return ""
	case s.Failure != "":
		return "unreadable: " + s.Failure
	case s.Encrypted && s.Shield != NoShield:
		return fmt.Sprintf("shield %s: %s", s.Shield, s.Reason)
	case !s.Encrypted && (s.Event.Type == event.EventMessage || s.Event.Type == event.EventSticker):
		return "not encrypted"
	default:
		return ""
	}
}

// String names the event without its content.
func (s *Sight) String() string {
	kind := s.Event.Type.Type
	if content, ok := s.Event.Content.Parsed.(*event.MessageEventContent); ok {
		kind += " " + string(content.MsgType)
	}
	return fmt.Sprintf("%s (%s) of %s", s.Event.ID, kind, s.Event.Sender)
}
