package bridge_test

import (
	"context"
	"testing"

	"postern/database"
)

// quiet waits until the client of alice is down and forgets that it tried to connect.
func (i *installation) quiet() {
	i.daemon.Client(login).Disconnect()
	select {
	case <-i.server.called:
	default:
	}
}

func TestPushConnectsWhoIsNotConnected(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.quiet()
	i.daemon.Network().Wake(context.Background(), wa, string(alice))
	<-i.server.called
}

func TestPushForOthersChangesNothing(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.quiet()
	ctx, network := context.Background(), i.daemon.Network()
	for _, who := range [][2]string{{wa, "@nobody:example.org"}, {"other", string(alice)}, {"", ""}} {
		if network.Asleep(ctx, who[0], who[1]) {
			t.Errorf("%q would be connected", who)
		}
	}
	if !network.Asleep(ctx, wa, string(alice)) {
		t.Fatal("alice would not be connected")
	}
	enlistment, err := network.AllEnlistments().Find(ctx, wa, string(alice))
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []database.EnlistmentState{database.Leaving, database.Lapsed, database.Enlisting} {
		if err = network.AllEnlistments().SetState(ctx, enlistment.Account, state); err != nil {
			t.Fatal(err)
		}
		if network.Asleep(ctx, wa, string(alice)) {
			t.Errorf("a user who is %s would be connected", state)
		}
	}
}
