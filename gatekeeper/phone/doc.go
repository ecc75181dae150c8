// Package phone is the phone of a WhatsApp user of the sandbox: a whatsmeow client whose keys live in this process, and
// what an app shows of it. The client is connected to the gatekeeper over real sockets, so whatever is seen here went
// through real encryption. Package page makes web pages of it.
//
//	phones, err := phone.Open(ctx, phone.Options{...})
//	defer phones.Close()
//	bob, err := phones.Add(ctx, "+4915112345678", "Bob")
//
// Keys, accounts and accepted contacts are in a database and survive a restart. Chats are in memory, bounded, and do not:
// after a restart the accepted contacts are there, without the messages.
//
// No method holds a lock while it waits for the client, the registry or the database.
package phone
