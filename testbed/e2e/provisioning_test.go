package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"maunium.net/go/mautrix/id"
)

// provision starts a chat through the interface that Matrix clients use, with the user's own access token.
func (u *bridgeUser) provision(t *testing.T, ctx context.Context, phone string) id.RoomID {
	t.Helper()
	answer := u.askProvisioning(t, ctx, u.Client.AccessToken, phone)
	defer answer.Body.Close()
	var result struct {
		Room  id.RoomID `json:"dm_room_mxid"`
		Error string    `json:"error"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&result); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || result.Room == "" {
		t.Fatalf("the provisioning interface answered with status %d: %s", answer.StatusCode, result.Error)
	}
	return result.Room
}

func (u *bridgeUser) askProvisioning(t *testing.T, ctx context.Context, token, phone string) *http.Response {
	t.Helper()
	address := u.stack.Bridge.URL() + "/_matrix/provision/v3/create_dm/" + url.PathEscape(phone) +
		"?user_id=" + url.QueryEscape(u.ID().String())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestProvisioningWantsTheUsersOwnToken(t *testing.T) {
	ctx, s := shared(t)
	alice, mallory := newEnlisted(t, ctx, s, "alice"), newUser(t, ctx, s, "mallory")
	bob := newContact(t, ctx, s, "Bob", 1)
	for name, token := range map[string]string{
		"no token": "", "a made-up token": "nonsense", "another user's token": mallory.Client.AccessToken,
	} {
		answer := alice.askProvisioning(t, ctx, token, bob.Phone)
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("with %s the status is %d", name, answer.StatusCode)
		}
	}
}
