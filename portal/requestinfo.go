package portal

import (
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// RequestInfo describes the room of a request. The user is not among its members: bridgev2 would join them if it may act in
// their name, and otherwise invite them in a way that does not tell every homeserver what the room is called. Name and topic
// are what a client shows of an invitation; there is no picture, which the contact would choose.
func RequestInfo(contact networkid.UserID, name, topic string) *bridgev2.ChatInfo {
	info, request := ChatInfo(contact, nil), true
	info.Name, info.Topic, info.MessageRequest = &name, &topic, &request
	info.Avatar = &bridgev2.Avatar{Remove: true}
	for key, member := range info.Members.MemberMap {
		if member.IsFromMe {
			delete(info.Members.MemberMap, key)
		}
	}
	info.Members.TotalMemberCount = len(info.Members.MemberMap)
	return info
}

// Opened changes what [ChatInfo] describes so that the room of a request becomes that of a chat.
func Opened(info *bridgev2.ChatInfo) {
	topic, request := "", false
	info.Name, info.Topic, info.MessageRequest = bridgev2.DefaultChatName, &topic, &request
}
