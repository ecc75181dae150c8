package puppet_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"

	"postern/interop"
	"postern/puppet"
)

var (
	phoneJID = types.NewJID("4915112345678", types.DefaultUserServer)
	lidJID   = types.NewJID("130455123456789", types.HiddenUserServer)
	png      = []byte("\x89PNG\r\n\x1a\n rest")
)

func TestNameIsThePushNameElseThePhoneElseTheAccount(t *testing.T) {
	for name, test := range map[string]struct {
		profile puppet.Profile
		want    string
	}{
		"push name":            {puppet.Profile{JID: phoneJID, PushName: " Bob "}, "Bob"},
		"unusable push name":   {puppet.Profile{JID: phoneJID, PushName: "\u202e"}, "+49 151 123 456 78"},
		"name poses as number": {puppet.Profile{JID: phoneJID, PushName: "+1 202 555 0123"}, "+49 151 123 456 78"},
		"phone told":           {puppet.Profile{JID: lidJID, Phone: "+12025550123"}, "+1 202 555 0123"},
		"nothing known":        {puppet.Profile{JID: lidJID}, "Contact 130455123456789"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := *test.profile.UserInfo().Name; got != test.want {
				t.Errorf("name = %q, want %q", got, test.want)
			}
		})
	}
}

func TestIdentifiersHoldThePhoneNumber(t *testing.T) {
	known := (&puppet.Profile{JID: phoneJID}).UserInfo()
	if !slices.Equal(known.Identifiers, []string{"tel:+4915112345678"}) {
		t.Errorf("identifiers = %q", known.Identifiers)
	}
	if unknown := (&puppet.Profile{JID: lidJID}).UserInfo(); unknown.Identifiers == nil || len(unknown.Identifiers) != 0 {
		t.Errorf("identifiers of an unknown number = %#v, want an empty list", unknown.Identifiers)
	}
}

func TestPictureIsFetchedByItsID(t *testing.T) {
	var asked string
	profile := puppet.Profile{
		JID: phoneJID, PictureKnown: true, Picture: &interop.Picture{ID: "1722", URL: "https://example.org/p"},
		Fetch: func(_ context.Context, picture *interop.Picture) ([]byte, error) {
			asked = picture.URL
			return png, nil
		},
	}
	avatar := profile.UserInfo().Avatar
	if avatar == nil || avatar.ID != "1722" || avatar.Remove {
		t.Fatalf("avatar = %+v", avatar)
	}
	if data, err := avatar.Get(t.Context()); err != nil || string(data) != string(png) || asked != "https://example.org/p" {
		t.Errorf("picture: %q, %v, asked for %q", data, err, asked)
	}
}

func TestPictureIsRefusedUnlessSmallAndAPicture(t *testing.T) {
	failure := errors.New("no network")
	for name, test := range map[string]struct {
		data []byte
		err  error
		want error
	}{
		"web page":  {[]byte("<html><script>"), nil, puppet.ErrPicture},
		"vector":    {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), nil, puppet.ErrPicture},
		"empty":     {nil, nil, puppet.ErrPicture},
		"too large": {append(slices.Clone(png), make([]byte, puppet.MaxPictureSize)...), nil, puppet.ErrPicture},
		"failed":    {nil, failure, failure},
	} {
		t.Run(name, func(t *testing.T) {
			profile := puppet.Profile{
				JID: phoneJID, PictureKnown: true, Picture: &interop.Picture{ID: "1"},
				Fetch: func(context.Context, *interop.Picture) ([]byte, error) { return test.data, test.err },
			}
			if _, err := profile.UserInfo().Avatar.Get(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("error = %v, want %v", err, test.want)
			}
		})
	}
}

func TestPictureIsKeptIfUnknownAndRemovedIfGone(t *testing.T) {
	if avatar := (&puppet.Profile{JID: phoneJID}).UserInfo().Avatar; avatar != nil {
		t.Errorf("avatar of a profile without news = %+v, want nil", avatar)
	}
	gone := (&puppet.Profile{JID: phoneJID, PictureKnown: true}).UserInfo().Avatar
	if gone == nil || !gone.Remove || gone.ID != "" {
		t.Errorf("avatar that is gone = %+v, want one to remove", gone)
	}
}

func TestMetadataRemembersNameAndPhone(t *testing.T) {
	ghost := &bridgev2.Ghost{Ghost: &database.Ghost{Metadata: puppet.NewMetadata()}}
	first := &puppet.Profile{JID: lidJID, Phone: "+4915112345678", PushName: "Bob\u202e"}
	if !first.UserInfo().ExtraUpdates(t.Context(), ghost) {
		t.Error("a new name is no change")
	}
	if *ghost.Metadata.(*puppet.Metadata) != (puppet.Metadata{PushName: "Bob", Phone: "+4915112345678"}) {
		t.Errorf("metadata = %+v", ghost.Metadata)
	}
	if first.UserInfo().ExtraUpdates(t.Context(), ghost) {
		t.Error("the same name is a change")
	}
	later := &puppet.Profile{JID: lidJID}
	later.Recall(ghost.Metadata)
	if info := later.UserInfo(); *info.Name != "Bob" || !slices.Equal(info.Identifiers, []string{"tel:+4915112345678"}) {
		t.Errorf("recalled profile: %q, %q", *info.Name, info.Identifiers)
	}
	forgetful := &puppet.Profile{JID: lidJID}
	if forgetful.UserInfo().ExtraUpdates(t.Context(), ghost) {
		t.Errorf("a profile without a name erased the stored one: %+v", ghost.Metadata)
	}
}
