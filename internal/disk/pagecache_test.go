package disk_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"hyper2kvm/internal/disk"
)

func TestPageCacheKeepsTheMostRecent(t *testing.T) {
	c := disk.NewPageCache[int64](2)
	loads := 0
	get := func(key int64) {
		t.Helper()
		v, err := c.Get(key, func() (int64, error) { loads++; return key * 10, nil })
		if err != nil || v != key*10 {
			t.Fatalf("key %d: %d, %v", key, v, err)
		}
	}
	for _, step := range []struct {
		key   int64
		loads int
	}{{1, 1}, {2, 2}, {1, 2}, {3, 3}, {1, 3}, {2, 4}, {1, 4}, {3, 5}} {
		if get(step.key); loads != step.loads {
			t.Fatalf("after key %d: %d loads, want %d", step.key, loads, step.loads)
		}
	}
}

func TestPageCacheLoadsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := disk.NewPageCache[string](4)
		var loads atomic.Int64
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				v, err := c.Get(7, func() (string, error) { loads.Add(1); <-release; return "page", nil })
				if v != "page" || err != nil {
					t.Errorf("%q, %v", v, err)
				}
			})
		}
		synctest.Wait() // all ten wait for one load
		close(release)
		wg.Wait()
		if loads.Load() != 1 {
			t.Errorf("%d loads, want 1", loads.Load())
		}
	})
}

func TestPageCacheForgetsErrors(t *testing.T) {
	c := disk.NewPageCache[int](1)
	bad := errors.New("bad")
	if _, err := c.Get(1, func() (int, error) { return 0, bad }); !errors.Is(err, bad) {
		t.Fatal(err)
	}
	if v, err := c.Get(1, func() (int, error) { return 5, nil }); v != 5 || err != nil {
		t.Fatalf("%d, %v", v, err)
	}
	func() {
		defer func() { recover() }()
		_, _ = c.Get(2, func() (int, error) { panic("load") })
	}()
	if v, err := c.Get(2, func() (int, error) { return 6, nil }); v != 6 || err != nil {
		t.Fatalf("after a panic: %d, %v", v, err)
	}
}
