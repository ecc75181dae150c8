// Package users is what admins and users can see and do with the database alone, beside a running daemon or inside of it: list who is
// enlisted, export what is stored of somebody, and note that somebody is suspended or wants to be erased. Who has to be connected, told or
// erased because of that is the connector's business, which looks for it.
package users
