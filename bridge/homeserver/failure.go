package homeserver

import (
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
)

// MsgEdit is the MessageType for statuses of edits that do not come from bridgev2: their event type is that of a message.
const MsgEdit event.MessageType = "org.postern.edit"

// rememberedEdits is how many edits are known as such when bridgev2 reports on them.
const rememberedEdits = 1024

func isFailure(ms *bridgev2.MessageStatus) bool {
	return ms.Status == event.MessageStatusFail || ms.Status == event.MessageStatusRetriable
}

// explain asks for a better sentence, if there is someone to ask. What is explained is final: bridgev2 calls most of its
// refusals retriable, and clients offer to send the same again then.
func (c *Connector) explain(ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	if c.options.Explain == nil || !isFailure(ms) || ms.InternalError == nil {
		return
	}
	// The status itself is asked about: the errors of bridgev2 can only be compared with that.
	if sentence := c.options.Explain(*ms, info.EventType, info.Sender); sentence != "" {
		ms.Message, ms.ErrorAsMessage, ms.SendNotice = sentence, false, true
		ms.Status = event.MessageStatusFail
	}
}

// failureNotice is bridgev2's notice, but names what failed.
func (c *Connector) failureNotice(ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) *event.MessageEventContent {
	notice := ms.ToNoticeEvent(info)
	if _, reason, ok := strings.Cut(notice.Body, " bridged: "); ok && ms.Step != status.MsgStepCommand {
		certainty := "may not have been"
		if ms.IsCertain {
			certainty = "was not"
		}
		notice.Body = fmt.Sprintf("\u26a0\ufe0f Your %s %s bridged: %s", c.failed(info), certainty, reason)
	}
	return notice
}

// failed is what the user calls what they sent.
func (c *Connector) failed(info *bridgev2.MessageStatusEventInfo) string {
	if kind, ok := unsupportedKinds[info.EventType.Type]; ok {
		return kind.name
	}
	switch {
	case info.EventType.Type == event.EventReaction.Type:
		return "reaction"
	case info.EventType.Type == event.EventRedaction.Type:
		return "deletion"
	case info.MessageType == MsgEdit, c.edits.has(info.SourceEventID):
		return "edit"
	default:
		return "message"
	}
}
