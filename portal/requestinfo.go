package portal

import (
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

// RequestInfo describes the room of a request: the user is invited to it and not joined, whoever may act in their name. Name
// and topic are what a client shows of an invitation; there is no picture, which the contact would choose.
func RequestInfo(contact networkid.UserID, name, topic string) *bridgev2.ChatInfo {
	info, request := ChatInfo(contact, nil), true
	info.Name, info.Topic, info.MessageRequest = &name, &topic, &request
	info.Avatar = &bridgev2.Avatar{Remove: true}
	for key, member := range info.Members.MemberMap {
		if member.IsFromMe {
			member.Membership = event.MembershipInvite
			info.Members.MemberMap[key] = member
		}
	}
	return info
}

// Opened changes what [ChatInfo] describes so that the room of a request becomes that of a chat.
func Opened(info *bridgev2.ChatInfo) {
	topic, request := "", false
	info.Name, info.Topic, info.MessageRequest = bridgev2.DefaultChatName, &topic, &request
}
