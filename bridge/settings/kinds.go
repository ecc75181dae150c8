package settings

import "fmt"

// Write is who may begin a chat with the user. Chats that are there are not touched by it.
var Write = &Setting{
	Name: "who-may-write", About: "Who may write to you for the first time",
	Values: []Value{
		{WriteEveryone, "people whom you do not know can ask, and you accept or decline them."},
		{WriteContacts, "only people whom you accepted, or whom you asked with `start-chat`. What others write is thrown away, and they are not told."},
		{WriteNobody, "nobody new: only the chats that you have go on. What others write is thrown away, and they are not told."},
	},
}

// What Write can be.
const (
	WriteEveryone = "everyone"
	WriteContacts = "contacts"
	WriteNobody   = "nobody"
)

// ReadReceipts is whether contacts see what the user has read.
var ReadReceipts = &Setting{
	Name: "read-receipts", About: "Read receipts",
	Values: []Value{
		{On, "contacts see when you have read a message."},
		{Off, "contacts do not see what you have read."},
	},
}

// Typing is whether contacts see that the user is typing.
var Typing = &Setting{
	Name: "typing", About: "Typing",
	Values: []Value{
		{On, "contacts see when you are typing."},
		{Off, "contacts do not see when you are typing."},
	},
}

// Quiet is which chats are quiet. It is set when a chat begins and when the setting changes, so what the user changes in
// their client between that stays.
var Quiet = &Setting{
	Name: "quiet", About: "Quiet chats",
	Values: []Value{
		{QuietNone, "messages notify you as your client does it."},
		{QuietNew, "chats that begin from now on do not notify you. Invitations still do."},
		{QuietAll, "no third-party chat notifies you. Invitations still do."},
	},
}

// What Quiet can be.
const (
	QuietNone = "none"
	QuietNew  = "new"
	QuietAll  = "all"
)

// SpaceName is what the space is called that collects a login's chats.
const SpaceName = "Third-party chats"

// Space is whether a space collects the chats.
var Space = &Setting{
	Name: "space", About: "A space for your chats",
	Values: []Value{
		{On, fmt.Sprintf("your chats are collected in a space named %q.", SpaceName)},
		{Off, "there is no space."},
	},
}

// HoldOnNewKey is whether messages wait when a contact's key changes.
var HoldOnNewKey = &Setting{
	Name: "hold-on-new-key", About: "When the security code of a contact changes",
	Values: []Value{
		{Off, "what you write is sent, and a notice in the chat says that the code changed."},
		{On, "what you write waits until you agree to the new code, with `trust` in the chat or by a ✅ on the notice."},
	},
}
