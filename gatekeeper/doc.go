// Package gatekeeper is the sandbox gatekeeper: a real server that speaks WhatsApp's wire protocol and the published
// interop interface, for the demo, the tests and everyone who has no agreement with a gatekeeper. It keeps its state in
// SQLite, refuses what the rules refuse, and can be told over its control API to fail in chosen ways.
//
// It shares only the wire codec with the client that it serves, so that a mistake in the one is not one in the other.
//
//	config, err := gatekeeper.LoadConfig("gatekeeper.yaml")
//	server, err := gatekeeper.New(config, log)
//	err = server.Start(ctx)
//	defer server.Stop(ctx)
//
// # Control API
//
// JSON over HTTP on the control address, which must be a loopback one: whoever reaches it can do everything. Every
// answer is a JSON object, {} if there is nothing to say, {"error": "..."} with status 400, 404, 409, 413 or 500 if it
// failed. Bodies are JSON objects without unknown keys; keys that are left out have their zero value unless told
// otherwise. {account} is a phone number, a JID, a LID or a user-visible identifier, escaped for a URL.
//
// An account in an answer is {"jid", "lid", "user_visible_id", "name", "third_party", "devices": [numbers that have
// keys], "connected": [numbers]}. "lid" is what WhatsApp clients write to; for a partner's user it is the alias.
//
//	GET    /info                                {"url", "enlist_url", "chat_url", "media_url", "root_key": hex, "connections"}
//	POST   /accounts                            {"phone", "name", "third_party": true} makes a WhatsApp user; an account
//	GET    /accounts/{account}                  an account
//	PATCH  /accounts/{account}                  {"name"?, "third_party"?} changes it; an account
//	DELETE /accounts/{account}                  forgets it, as if it had left: its connections end
//	POST   /accounts/{account}/phone            opens the phone of a WhatsApp user on the phone page, as one more device if it
//	                                            has none there; {"url"} of the page
//	POST   /accounts/{account}/devices          {"noise_key": hex or base64, "number"?: next free one} registers a device
//	                                            of a WhatsApp user; {"device", "jid", "lid"}
//	DELETE /accounts/{account}/devices/{number} removes it
//	PUT    /accounts/{account}/picture          the body is the picture, up to 1 MiB; {"id"}
//	DELETE /accounts/{account}/picture
//	GET    /accounts/{account}/pings            {"pings": [{"from": user-visible identifier, "sent": unix seconds}]}: which partners'
//	                                            users ask a WhatsApp user to turn third-party chats on, the newest first.
//	                                            Turning them on, with PATCH, answers all of them
//	DELETE /media                               forgets all uploaded files, as if they had expired; {"files": n}
//	GET    /interop                             {"accounts": [partners' users]}
//	POST   /push                                {"account", "times": 1} sends so many pushes for a partner's user, at once and whether
//	                                            something waits or not; {"statuses": {"200": how many, ..., "failed": those
//	                                            without an answer}}. Any other text is sent as it stands to the first partner
//	GET    /saw?after=0&limit=1000&wait=0       {"saw": [...]}: what happened after record number "after", in order. With
//	                                            wait, up to that many seconds (60 at most) until there is something.
//	                                            A record is {"seq", "time": ms, "kind", "id", "from", "to", "enc":
//	                                            [types of ciphertexts], "size": bytes of ciphertext}; never content.
//	                                            Kinds: "enlist", "enlist <reason>", "login", "login refused <code>",
//	                                            "message", "message retry", "message refused", "receipt", "receipt read",
//	                                            "receipt played", "receipt retry", "ping", "chatstate composing", "chatstate
//	                                            paused", "presence available", "iq <xmlns> <type>", "leave",
//	                                            "unexpected ..." for what no handler knows. For files: "media upload",
//	                                            "media download" of an uploaded one, "media partner download" of a
//	                                            partner's one. The id is the file's reference, the size what was
//	                                            transferred. What went wrong stands behind the kind: a status, the
//	                                            fault, or "cut" for a partner that failed in the middle. A slow download
//	                                            is recorded when it stands still and again when it ends. "push" is a push
//	                                            that a partner took; of others, the status or "failed" stands behind it.
//
// Faults. They stay until they are changed or used up, and are not stored.
//
//	POST /faults/drop           {"account"?} cuts its connections without a word, or all; {"connections": n}
//	POST /faults/stream-error   {"account"?, "code", "conflict"?} ends them with an error; {"connections": n}
//	POST /faults/refuse-logins  {"account"?, "code", "times"} fails its next logins with the code, or everybody's
//	POST /faults/refuse-enlistments {"reason", "times": 1} refuses the next enlistments that are right with the reason
//	POST /faults/acks           {"delay_ms", "drop"} delays the acks of messages, drops the next ones
//	POST /faults/outage         {"on"} cuts everything, accepts no connections at the public address
//	POST /faults/corrupt        {"account", "count": 1} spoils the next ciphertexts for that account's devices
//	POST /faults/expire-tokens  {"on"} takes every identity token at login for expired
//	POST /faults/clock          {"offset_seconds"} moves the gatekeeper's clock, and removes what is too old then
//	POST /faults/prekeys-low    {"account", "left"} tells its devices that so many prekeys are left
//	POST /faults/media          {"mode", "times": 1} spoils the next downloads of uploaded files by partners. Modes:
//	                            "truncate" (cuts the connection in the middle), "flip" (changes one bit), "missing" (404),
//	                            "error" (503), "lie-longer" and "lie-shorter" (16 bytes more or less than there were),
//	                            "slow" (stands still in the middle until another fault is set), "" (none). WhatsApp's
//	                            own clients, which send an Origin header, are spared
//	POST /faults/http           {"route", "mode", "times": 1} spoils the next answers of a route: "enlist", or "keys" for the key set
//	                            that pushes are checked with. Modes: "error" (503), "slow" (nothing comes until another fault
//	                            is set for the route), "cut" (what is asked for is done, and half of the answer is sent), "rubbish"
//	                            (200 with HTML), "" (none)
//	POST /faults/rotate-push-keys {"drop": false} makes a new key, which signs pushes from now on. The one before it stays
//	                            published, or not; {"kid"}
package gatekeeper
