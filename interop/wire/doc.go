// Package wire is what both ends of the chat channel need: Noise over websocket frames, the certificate chain, and
// bounded coding of stanzas. It is the only package that the sandbox gatekeeper shares with the client.
//
//	conn, err := wire.Dial(ctx, "wss://gatekeeper.example/ws/chat", httpClient, wire.ClientHandshake{...})
//	err = conn.WriteNode(ctx, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{...}})
//	node, err := conn.ReadNode(ctx)
//	conn.Close(websocket.StatusNormalClosure)
//
// # Why not whatsmeow's socket package
//
// Its FrameSocket always offers compression (1.3 MiB a connection), starts a goroutine for every frame it sends, and
// puts a frame that spans websocket messages together wrongly. Its NoiseHandshake plays the client only and keeps the
// transport keys to itself. What fits is used: the constants that name the protocol, and the HKDF and AES-GCM helpers.
// The handshake here is byte for byte the same, which a test against whatsmeow's own client holds.
//
// # Why not whatsmeow's stanza decoder
//
// It was written for one trusted server: it has no bounds on sizes, depth or counts, it can be made to panic, and it
// refuses interop JIDs without the trailing server. Encoding is whatsmeow's.
package wire
