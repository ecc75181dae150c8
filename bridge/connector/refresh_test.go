package connector_test

import (
	"context"
	"fmt"
	"testing"

	"postern/bridge/connector"
)

func TestProfileChangesAreJoinedAndSlowedDown(t *testing.T) {
	r := connector.NewRefreshes(context.Background())
	r.Add("bob", false, "first")
	if got := <-r.Worked; got != "bob false first" {
		t.Errorf("worked on %s", got)
	}
	<-r.Pausing // nothing happens until the pause is over
	r.Add("bob", false, "second")
	r.Add("bob", true, "")
	r.Add("bob", false, "third")
	select {
	case got := <-r.Worked:
		t.Errorf("worked on %s too soon", got)
	default:
	}
	r.Resume <- struct{}{}
	if got := <-r.Worked; got != "bob true third" {
		t.Errorf("worked on %s", got)
	}
	<-r.Pausing
	r.Resume <- struct{}{}
	r.Wait()
	if left := r.Contacts(); left != 0 {
		t.Errorf("%d contacts are remembered", left)
	}
}

func TestProfileChangesAreBounded(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	r := connector.NewRefreshes(ctx)
	taken := 0
	for i := range 2 * connector.MaxRefreshes {
		if r.Add(fmt.Sprint(i), true, "") {
			taken++
		}
	}
	stop()
	r.Wait()
	if taken != connector.MaxRefreshes {
		t.Errorf("%d were taken, want %d", taken, connector.MaxRefreshes)
	}
}
