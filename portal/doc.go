// Package portal decides what one 1:1 chat and one room look like to each other: ids, chat info, capabilities, and the
// conversion of messages both ways. Everything in it is a pure function: no I/O, no clock, no state, no goroutines.
// bridgev2 owns the rooms, package bridge calls.
//
//	contact, err := portal.UserID("whatsapp", event.Chat)   // "whatsapp-4915112345678"
//	key := portal.Key(login.ID, contact)                    // the login's own room with that contact
//	converted, err := portal.ToMatrix(event.Message)        // a waE2E.Message becomes the parts of a Matrix message
//	message, err := portal.ToInterop(matrixMessage)         // and the other way round
package portal
