// Package portal decides what one 1:1 chat and one room look like to each other: ids, chat info, capabilities, and the
// conversion of messages both ways. Everything in it is a pure function: no I/O, no clock, no state, no goroutines.
// bridgev2 owns the rooms, package bridge calls.
//
//	contact, err := portal.UserID("whatsapp", event.Chat)   // "whatsapp-4915112345678"
//	key := portal.Key(login.ID, contact)                    // the login's own room with that contact
//
// A contact's message:
//
//	action, err := portal.ActionOf(event.Message)           // an edit, a deletion, a reaction? Else:
//	files, err := portal.Files(event.Message)               // have to be stored first
//	converted, err := portal.ToMatrix(event.Message, &portal.Context{Files: stored, ReplyTo: target})
//	edits := portal.Complete(existing, converted)           // if a part of it is in the room already
//
// And the other way round:
//
//	out, err := portal.ToInterop(matrixMessage, &portal.OutgoingContext{Quote: quote, Timer: timer})
//	message, err := out.Complete(sent, time.Now())          // when the file was uploaded, if it has one
package portal
