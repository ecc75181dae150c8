package provider

// ParsePush and ParseRemoteKeys read what gatekeepers send.
var (
	ParsePush       = parsePush
	ParseRemoteKeys = parseRemoteKeys
)
