package portal

import (
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
)

// adminLevel is what nobody in a room but the bridge's bot has.
const adminLevel = 100

// ChatInfo describes the room of a chat with a contact: a direct chat of two. Its name and picture are those of the
// contact's ghost, which bridgev2 keeps up to date; it has no topic, and there is no history to fetch. info is what is
// known of the contact, nil if there is no news.
//
// Our user has no ghost in the room: the sender of the member entry stays empty, and bridgev2 takes the Matrix user.
func ChatInfo(contact networkid.UserID, info *bridgev2.UserInfo) *bridgev2.ChatInfo {
	roomType, admin := database.RoomTypeDM, adminLevel
	members := bridgev2.ChatMemberMap{}
	members.Set(bridgev2.ChatMember{
		EventSender: bridgev2.EventSender{IsFromMe: true},
		Membership:  event.MembershipJoin,
	})
	members.Set(bridgev2.ChatMember{
		EventSender: bridgev2.EventSender{Sender: contact},
		Membership:  event.MembershipJoin,
		UserInfo:    info,
	})
	return &bridgev2.ChatInfo{
		Type:        &roomType,
		CanBackfill: false,
		Members: &bridgev2.ChatMemberList{
			IsFull:           true,
			TotalMemberCount: len(members),
			OtherUserID:      contact,
			MemberMap:        members,
			// Two people write here, and nobody else can be let in: what they write goes to one contact, and a third
			// would read it without that contact knowing.
			PowerLevels: &bridgev2.PowerLevelOverrides{
				Invite: &admin,
				Kick:   &admin,
				Ban:    &admin,
				Events: map[event.Type]int{
					event.StateEncryption:        adminLevel,
					event.StateHistoryVisibility: adminLevel,
					event.StateJoinRules:         adminLevel,
					event.StatePowerLevels:       adminLevel,
				},
			},
		},
	}
}
