package homeserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// keyServer is the fake homeserver's part that keeps encryption keys and to-device messages. The fake's lock protects it.
type keyServer struct {
	users map[string]*keyUser
	// synapse: devices are made by MSC4190.
	synapse bool
}

// keyUser is what the homeserver knows of a user. An identity's keys are named as in the upload.
type keyUser struct {
	identity map[string]json.RawMessage
	devices  map[string]*keyDevice
}

type keyDevice struct {
	keys     json.RawMessage // nil before they were uploaded
	oneTime  map[string]json.RawMessage
	fallback map[string]json.RawMessage
	// inbox holds to-device messages that were not collected, as JSON; seen is how many came so far.
	inbox []string
	seen  int
}

func newKeyServer() keyServer { return keyServer{users: make(map[string]*keyUser)} }

func (k *keyServer) user(name string) *keyUser {
	if k.users[name] == nil {
		k.users[name] = &keyUser{identity: make(map[string]json.RawMessage), devices: make(map[string]*keyDevice)}
	}
	return k.users[name]
}

func (u *keyUser) device(name string) *keyDevice {
	if u.devices[name] == nil {
		u.devices[name] = &keyDevice{oneTime: make(map[string]json.RawMessage), fallback: make(map[string]json.RawMessage)}
	}
	return u.devices[name]
}

// who returns the user and the device that make a request, "" for none.
func who(r *http.Request) (user, device string) {
	token := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "|")
	if len(token) == 3 {
		return token[1], token[2]
	}
	user = r.URL.Query().Get("user_id")
	if user == "" {
		user = botUser
	}
	return user, r.URL.Query().Get("device_id")
}

// keyAnswer answers what is about keys and devices. It returns status 0 for everything else. The lock is held.
func (f *fakeHomeserver) keyAnswer(r *http.Request, path string, body []byte) (string, int) {
	name, device := who(r)
	user := f.keys.user(name)
	switch {
	case path == "/login" && r.Method == http.MethodPost && f.keys.synapse:
		return `{"errcode":"IO.ELEMENT.MSC4190.M_APPSERVICE_LOGIN_UNSUPPORTED","error":"make the device"}`, 400
	case path == "/login" && r.Method == http.MethodPost:
		return f.keys.login(body), 200
	case strings.HasPrefix(path, "/sendToDevice/") && f.keys.synapse && name != botUser && user.devices[device] == nil:
		return `{"errcode":"M_UNKNOWN_DEVICE","error":"Application service trying to use a device that doesn't exist"}`, 400
	case strings.HasPrefix(path, "/devices/") && f.keys.synapse:
		if device = strings.TrimPrefix(path, "/devices/"); r.Method == http.MethodDelete {
			delete(user.devices, device)
		} else {
			user.device(device)
		}
		return `{}`, 200
	case path == "/logout" && device != "":
		delete(user.devices, device)
		return `{}`, 200
	case path == "/keys/upload":
		return f.uploadKeys(user, device, body), 200
	case path == "/keys/query":
		return f.keys.query(body), 200
	case path == "/keys/claim":
		return f.keys.claim(body), 200
	case path == "/keys/device_signing/upload":
		return f.uploadIdentity(user, body)
	case path == "/keys/signatures/upload":
		f.sign(name, body)
		return `{}`, 200
	case path == "/sync" && name != botUser:
		return f.collect(user.device(device), r.URL.Query().Get("since")), 200
	case strings.HasPrefix(path, "/sendToDevice/"):
		f.keys.deliver(name, strings.Split(path, "/")[2], body)
		return `{}`, 200
	default:
		return "", 0
	}
}

func (k *keyServer) login(body []byte) string {
	var login struct {
		Identifier struct{ User string }
		Device     string `json:"device_id"`
	}
	_ = json.Unmarshal(body, &login)
	if login.Device == "" {
		login.Device = device
	}
	k.user(login.Identifier.User).device(login.Device)
	return fmt.Sprintf(`{"user_id":%q,"device_id":%q,"access_token":"device-token|%s|%s"}`,
		login.Identifier.User, login.Device, login.Identifier.User, login.Device)
}

func (f *fakeHomeserver) uploadKeys(user *keyUser, name string, body []byte) string {
	device, ok := user.devices[name]
	if !ok {
		f.report("keys were uploaded for the device %q, which does not exist", name)
		return `{}`
	}
	var upload struct {
		Keys     json.RawMessage            `json:"device_keys"`
		OneTime  map[string]json.RawMessage `json:"one_time_keys"`
		Fallback map[string]json.RawMessage `json:"fallback_keys"`
	}
	if err := json.Unmarshal(body, &upload); err != nil {
		f.report("keys are not JSON: %v", err)
	}
	if len(upload.Keys) > 0 {
		device.keys = upload.Keys
	}
	for id, key := range upload.OneTime {
		device.oneTime[id] = key
	}
	for id, key := range upload.Fallback {
		device.fallback[id] = key
	}
	return fmt.Sprintf(`{"one_time_key_counts":{"signed_curve25519":%d}}`, len(device.oneTime))
}

// uploadIdentity refuses other keys than those that are there, as Dendrite does.
func (f *fakeHomeserver) uploadIdentity(user *keyUser, body []byte) (string, int) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		f.report("cross-signing keys are not JSON: %v", err)
	}
	if old := user.identity["master_key"]; old != nil && string(old) != string(keys["master_key"]) {
		return `{"errcode":"M_FORBIDDEN","error":"a password is needed"}`, 401
	}
	user.identity = keys
	return `{}`, 200
}

func (k *keyServer) query(body []byte) string {
	var query struct {
		Users map[string]any `json:"device_keys"`
	}
	_ = json.Unmarshal(body, &query)
	devices := make(map[string]map[string]json.RawMessage)
	answer := map[string]any{"device_keys": devices}
	for name := range query.Users {
		user := k.user(name)
		devices[name] = make(map[string]json.RawMessage)
		for id, device := range user.devices {
			if device.keys != nil {
				devices[name][id] = device.keys
			}
		}
		for ours, theirs := range map[string]string{
			"master_key": "master_keys", "self_signing_key": "self_signing_keys", "user_signing_key": "user_signing_keys",
		} {
			if key := user.identity[ours]; key != nil {
				if answer[theirs] == nil {
					answer[theirs] = make(map[string]json.RawMessage)
				}
				answer[theirs].(map[string]json.RawMessage)[name] = key
			}
		}
	}
	data, _ := json.Marshal(answer)
	return string(data)
}

func (k *keyServer) claim(body []byte) string {
	var claim struct {
		Keys map[string]map[string]string `json:"one_time_keys"`
	}
	_ = json.Unmarshal(body, &claim)
	answer := make(map[string]map[string]map[string]json.RawMessage)
	for user, devices := range claim.Keys {
		answer[user] = make(map[string]map[string]json.RawMessage)
		for device := range devices {
			if id, key := k.user(user).device(device).take(); id != "" {
				answer[user][device] = map[string]json.RawMessage{id: key}
			}
		}
	}
	data, _ := json.Marshal(map[string]any{"one_time_keys": answer})
	return string(data)
}

// take returns a one-time key, or the fallback key if there is none, or "".
func (d *keyDevice) take() (string, json.RawMessage) {
	for id, key := range d.oneTime {
		delete(d.oneTime, id)
		return id, key
	}
	for id, key := range d.fallback {
		return id, key
	}
	return "", nil
}

// sign adds signatures of devices to what is known of them.
func (f *fakeHomeserver) sign(name string, body []byte) {
	var upload map[string]map[string]struct {
		Signatures map[string]map[string]string `json:"signatures"`
	}
	if err := json.Unmarshal(body, &upload); err != nil {
		f.report("signatures are not JSON: %v", err)
		return
	}
	for id, signed := range upload[name] {
		device, ok := f.keys.user(name).devices[id]
		if !ok {
			continue
		}
		var keys map[string]any
		if err := json.Unmarshal(device.keys, &keys); err != nil {
			f.report("%v", err)
			return
		}
		signatures := keys["signatures"].(map[string]any)[name].(map[string]any)
		for key, signature := range signed.Signatures[name] {
			signatures[key] = signature
		}
		device.keys, _ = json.Marshal(keys)
	}
}

func (k *keyServer) deliver(sender, kind string, body []byte) {
	var messages struct {
		Messages map[string]map[string]json.RawMessage
	}
	_ = json.Unmarshal(body, &messages)
	for user, devices := range messages.Messages {
		for id, content := range devices {
			device := k.user(user).device(id)
			device.inbox = append(device.inbox, fmt.Sprintf(`{"type":%q,"sender":%q,"content":%s}`, kind, sender, content))
			device.seen++
		}
	}
}

// collect answers a sync. What was in an answer before since is deleted.
func (f *fakeHomeserver) collect(device *keyDevice, since string) string {
	var read int
	_, _ = fmt.Sscanf(since, "s%d", &read)
	if old := len(device.inbox) - (device.seen - read); old > 0 && read > 0 {
		device.inbox = device.inbox[old:]
	}
	return fmt.Sprintf(`{"next_batch":"s%d","to_device":{"events":[%s]},"device_one_time_keys_count":{"signed_curve25519":%d}}`,
		device.seen, strings.Join(device.inbox, ","), len(device.oneTime))
}
