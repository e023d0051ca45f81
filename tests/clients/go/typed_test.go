package clients

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
)

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(replicas),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					TerminationGracePeriodSeconds: ptr.To(int64(1)),
					Containers:                    []corev1.Container{{Name: "nginx", Image: "nginx:1.25"}},
				},
			},
		},
	}
}

func TestDeploymentsWholeLife(t *testing.T) {
	ctx, client, ns := cluster(t)
	deployments := client.AppsV1().Deployments(ns)
	made, err := deployments.Create(ctx, deployment("web", 2), metav1.CreateOptions{})
	must(t, err)
	if made.UID == "" || made.Generation != 1 || made.Spec.Strategy.RollingUpdate == nil || len(made.ManagedFields) != 1 {
		t.Errorf("made without what the server fills in: %+v", made)
	}
	until(t, ctx, "2 ready", func() bool {
		now, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		return err == nil && now.Status.ReadyReplicas == 2
	})

	stale := made.DeepCopy()
	_, err = deployments.Patch(ctx, "web", types.StrategicMergePatchType, []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"nginx","env":[{"name":"A","value":"b"}]}]}}}}`), metav1.PatchOptions{})
	must(t, err)
	stale.Spec.Replicas = ptr.To(int32(5))
	if _, err = deployments.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("an update of a stale copy: %v", err)
	}
	// The roll-out goes on meanwhile, and its status counts as a change.
	must(t, retry.RetryOnConflict(retry.DefaultRetry, func() error {
		scale, err := deployments.GetScale(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		scale.Spec.Replicas = 1
		_, err = deployments.UpdateScale(ctx, "web", scale, metav1.UpdateOptions{})
		return err
	}))
	until(t, ctx, "1 pod after the scale", func() bool {
		pods, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		return err == nil && len(pods.Items) == 1 && pods.Items[0].Spec.Containers[0].Env[0].Value == "b"
	})
	must(t, deployments.Delete(ctx, "web", metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)}))
	until(t, ctx, "gone with its pods", func() bool {
		_, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		pods, listErr := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{})
		return apierrors.IsNotFound(err) && listErr == nil && len(pods.Items) == 0
	})
}

// Programs decide by the reason of an error and by its causes.
func TestErrorsAreTyped(t *testing.T) {
	ctx, client, ns := cluster(t)
	maps := client.CoreV1().ConfigMaps(ns)
	made, err := maps.Create(ctx, configMap("one", nil), metav1.CreateOptions{})
	must(t, err)
	_, exists := maps.Create(ctx, configMap("one", nil), metav1.CreateOptions{})
	_, missing := maps.Get(ctx, "two", metav1.GetOptions{})
	_, invalid := maps.Create(ctx, configMap("No_Name", nil), metav1.CreateOptions{})
	_, badSelector := maps.List(ctx, metav1.ListOptions{LabelSelector: "a=b=c"})
	conflict := maps.Delete(ctx, "one", metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions("other")})
	_, noNamespace := client.CoreV1().ConfigMaps("nowhere").Create(ctx, configMap("one", nil), metav1.CreateOptions{})
	_, expired := maps.List(ctx, metav1.ListOptions{Continue: "nonsense"})
	_, future := maps.List(ctx, metav1.ListOptions{ResourceVersion: "999999999", ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan})
	for _, row := range []struct {
		name string
		err  error
		is   func(error) bool
	}{
		{"already exists", exists, apierrors.IsAlreadyExists},
		{"not found", missing, apierrors.IsNotFound},
		{"invalid", invalid, apierrors.IsInvalid},
		{"bad selector", badSelector, apierrors.IsBadRequest},
		{"precondition", conflict, apierrors.IsConflict},
		{"no namespace", noNamespace, apierrors.IsNotFound},
		{"continue token", expired, apierrors.IsBadRequest},
		{"a resource version of the future", future, apierrors.IsTimeout},
	} {
		if !row.is(row.err) {
			t.Errorf("%s: %v (%s)", row.name, row.err, apierrors.ReasonForError(row.err))
		}
	}
	if status, ok := invalid.(apierrors.APIStatus); !ok || len(status.Status().Details.Causes) != 1 || status.Status().Details.Causes[0].Field != "metadata.name" {
		t.Errorf("causes of invalid: %v", invalid)
	}
	must(t, maps.Delete(ctx, "one", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &made.UID, ResourceVersion: &made.ResourceVersion}}))
}

func TestPagesAndDeleteCollection(t *testing.T) {
	ctx, client, ns := cluster(t)
	maps := client.CoreV1().ConfigMaps(ns)
	for i := range 25 {
		_, err := maps.Create(ctx, configMap(fmt.Sprintf("page-%02d", i), nil), metav1.CreateOptions{})
		must(t, err)
	}
	pages, seen := 0, 0
	p := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		pages++
		options.FieldSelector = "metadata.name!=kube-root-ca.crt"
		return maps.List(ctx, options)
	})
	p.PageSize = 10
	must(t, p.EachListItem(ctx, metav1.ListOptions{}, func(runtime.Object) error { seen++; return nil }))
	if pages != 3 || seen != 25 {
		t.Errorf("%d items on %d pages", seen, pages)
	}
	must(t, maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=page-07"}))
	left, err := maps.List(ctx, metav1.ListOptions{})
	must(t, err)
	if len(left.Items) != 24+1 { // and kube-root-ca.crt
		t.Errorf("%d left", len(left.Items))
	}
}

func TestDiscoveryAndDynamicClient(t *testing.T) {
	ctx, client, ns := cluster(t)
	groups, lists, err := client.Discovery().ServerGroupsAndResources()
	must(t, err)
	if len(groups) < 10 || len(lists) < 15 {
		t.Errorf("%d groups, %d versions", len(groups), len(lists))
	}
	dyn, err := dynamic.NewForConfig(restConfig(t))
	must(t, err)
	_, err = client.CoreV1().ConfigMaps(ns).Create(ctx, configMap("dynamic", map[string]string{"a": "b"}), metav1.CreateOptions{})
	must(t, err)
	got, err := dyn.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(ns).Get(ctx, "dynamic", metav1.GetOptions{})
	must(t, err)
	if got.GetKind() != "ConfigMap" || got.GetAPIVersion() != "v1" {
		t.Errorf("%v", got)
	}
}
