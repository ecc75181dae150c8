package portal_test

import (
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

func TestChatInfoIsADirectChatOfTwo(t *testing.T) {
	name := "Bob"
	info := portal.ChatInfo("whatsapp-4915112345678", &bridgev2.UserInfo{Name: &name})
	if info.Type == nil || *info.Type != database.RoomTypeDM || info.CanBackfill || info.Name != nil || info.Topic != nil {
		t.Errorf("info = %+v", info)
	}
	members := info.Members
	if !members.IsFull || members.TotalMemberCount != 2 || len(members.MemberMap) != 2 || members.OtherUserID != "whatsapp-4915112345678" {
		t.Errorf("members = %+v", members)
	}
	contact := members.MemberMap["whatsapp-4915112345678"]
	if contact.IsFromMe || contact.Membership != event.MembershipJoin || contact.UserInfo == nil || *contact.UserInfo.Name != "Bob" {
		t.Errorf("contact = %+v", contact)
	}
	if self := members.MemberMap[networkid.UserID("")]; !self.IsFromMe || self.Membership != event.MembershipJoin {
		t.Errorf("self = %+v", self)
	}
}

func TestNobodyCanBeLetIntoAChat(t *testing.T) {
	levels := &event.PowerLevelsEventContent{}
	if !portal.ChatInfo("whatsapp-1", nil).Members.PowerLevels.Apply("", levels) {
		t.Error("power levels are not changed")
	}
	if levels.Invite() < 100 || levels.Kick() < 100 || levels.Ban() < 100 || levels.GetEventLevel(event.StateEncryption) < 100 || levels.GetEventLevel(event.StateJoinRules) < 100 {
		t.Errorf("levels = %+v", levels)
	}
	if level := levels.GetEventLevel(event.EventMessage); level != 0 {
		t.Errorf("writing needs level %d, want 0", level)
	}
}
