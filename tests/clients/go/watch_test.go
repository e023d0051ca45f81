package clients

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

type countingTransport struct {
	next              http.RoundTripper
	lists, watchLists atomic.Int32
}

func (c *countingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	switch {
	case query.Get("sendInitialEvents") == "true":
		c.watchLists.Add(1)
	case query.Get("watch") == "":
		c.lists.Add(1)
	}
	return c.next.RoundTrip(request)
}

// Run twice by test.sh: an informer begins with a list and a watch, or with one watch that sends what there is first.
func TestInformer(t *testing.T) {
	ctx, client, ns := cluster(t)
	maps := client.CoreV1().ConfigMaps(ns)
	for _, name := range []string{"a", "b", "c"} {
		_, err := maps.Create(ctx, configMap(name, map[string]string{"k": "0"}), metav1.CreateOptions{})
		must(t, err)
	}

	counts := &countingTransport{}
	config := restConfig(t)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { counts.next = next; return counts })
	counted, err := kubernetes.NewForConfig(config)
	must(t, err)
	factory := informers.NewSharedInformerFactoryWithOptions(counted, 0*time.Second, informers.WithNamespace(ns),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = "metadata.name!=kube-root-ca.crt" }))
	informer := factory.Core().V1().ConfigMaps()
	var adds, updates, deletes atomic.Int32
	_, err = informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { adds.Add(1) },
		UpdateFunc: func(_, now any) { updates.Add(1) },
		DeleteFunc: func(any) { deletes.Add(1) },
	})
	must(t, err)
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
		t.Fatal("never synced")
	}
	have, err := informer.Lister().ConfigMaps(ns).List(labels.Everything())
	must(t, err)
	if len(have) != 3 {
		t.Errorf("%d objects once synced", len(have))
	}
	if watchList := os.Getenv("KUBE_FEATURE_WatchListClient") == "true"; (counts.watchLists.Load() > 0) != watchList || (counts.lists.Load() > 0) == watchList {
		t.Errorf("%d lists, %d streaming lists; streaming wanted: %v", counts.lists.Load(), counts.watchLists.Load(), watchList)
	}

	_, err = maps.Create(ctx, configMap("d", nil), metav1.CreateOptions{})
	must(t, err)
	for i := range 10 {
		_, err = maps.Update(ctx, configMap("a", map[string]string{"k": string(rune('1' + i))}), metav1.UpdateOptions{})
		must(t, err)
	}
	must(t, maps.Delete(ctx, "b", metav1.DeleteOptions{}))
	until(t, ctx, "every event", func() bool { return adds.Load() == 4 && updates.Load() == 10 && deletes.Load() == 1 })
	one, err := informer.Lister().ConfigMaps(ns).Get("a")
	must(t, err)
	server, err := maps.Get(ctx, "a", metav1.GetOptions{})
	must(t, err)
	if one.ResourceVersion != server.ResourceVersion {
		t.Errorf("cache at %s, server at %s", one.ResourceVersion, server.ResourceVersion)
	}
}

// A watch from a list's version misses nothing, and bookmarks come to those who ask.
func TestWatchFromList(t *testing.T) {
	ctx, client, ns := cluster(t)
	maps := client.CoreV1().ConfigMaps(ns)
	list, err := maps.List(ctx, metav1.ListOptions{})
	must(t, err)
	_, err = maps.Create(ctx, configMap("x", nil), metav1.CreateOptions{})
	must(t, err)
	must(t, maps.Delete(ctx, "x", metav1.DeleteOptions{}))
	watch, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, FieldSelector: "metadata.name=x", AllowWatchBookmarks: true})
	must(t, err)
	defer watch.Stop()
	for _, want := range []string{"ADDED", "DELETED"} {
		event := <-watch.ResultChan()
		if got, ok := event.Object.(*corev1.ConfigMap); string(event.Type) != want || !ok || got.Name != "x" {
			t.Errorf("%s wanted: %+v", want, event)
		}
	}
}
