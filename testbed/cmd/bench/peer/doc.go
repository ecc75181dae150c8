// Package peer plays clients of the chat server that cost next to nothing, so that a benchmark measures the other side
// of a conversation. They share only the wire codec with the programs that are measured.
//
// A [Channel] knows stanzas from the outside: it writes, answers what has to be answered, and counts. A [Contact] is a
// WhatsApp user with one device on such a channel. It encrypts what it will send before the clock starts, and decrypts
// what it received after the clock has stopped.
package peer
