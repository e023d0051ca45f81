package clients

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var gardenVersion = schema.GroupVersion{Group: "go.example.com", Version: "v1"}

const finalizer = "go.example.com/gate"

// Garden is what kubebuilder would make of a small type: a wish, and what the reconciler says of it.
type Garden struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              GardenSpec   `json:"spec,omitempty"`
	Status            GardenStatus `json:"status,omitempty"`
}

type GardenSpec struct {
	Beds int32 `json:"beds,omitempty"`
}

type GardenStatus struct {
	Ready      int32              `json:"ready,omitempty"`
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

type GardenList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Garden `json:"items"`
}

func (g *Garden) DeepCopyObject() runtime.Object {
	out := *g
	g.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Status.Conditions = append([]metav1.Condition(nil), g.Status.Conditions...)
	return &out
}

func (l *GardenList) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = nil
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopyObject().(*Garden))
	}
	return &out
}

func gardenDefinition() *apiextensionsv1.CustomResourceDefinition {
	integer := apiextensionsv1.JSONSchemaProps{Type: "integer", Format: "int32"}
	withDefault := integer
	withDefault.Default = &apiextensionsv1.JSON{Raw: []byte("2")}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "gardens.go.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: gardenVersion.Group,
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "gardens", Singular: "garden", Kind: "Garden", ListKind: "GardenList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object",
					Properties: map[string]apiextensionsv1.JSONSchemaProps{
						"spec":   {Type: "object", Default: &apiextensionsv1.JSON{Raw: []byte("{}")}, Properties: map[string]apiextensionsv1.JSONSchemaProps{"beds": withDefault}},
						"status": {Type: "object", XPreserveUnknownFields: ptr.To(true)},
					},
				}},
			}},
		},
	}
}

// gardener keeps one ConfigMap a bed, and holds a garden until its beds are gone.
type gardener struct {
	client.Client
	scheme *runtime.Scheme
}

func (g *gardener) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	garden := &Garden{}
	if err := g.Get(ctx, request.NamespacedName, garden); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !garden.DeletionTimestamp.IsZero() {
		if err := g.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(garden.Namespace), client.MatchingLabels{"garden": garden.Name}); err != nil {
			return ctrl.Result{}, err
		}
		controllerutil.RemoveFinalizer(garden, finalizer)
		return ctrl.Result{}, client.IgnoreNotFound(g.Update(ctx, garden))
	}
	if controllerutil.AddFinalizer(garden, finalizer) {
		return ctrl.Result{}, g.Update(ctx, garden)
	}
	for i := range garden.Spec.Beds {
		bed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", garden.Name, i), Namespace: garden.Namespace}}
		_, err := controllerutil.CreateOrUpdate(ctx, g.Client, bed, func() error {
			bed.Labels = map[string]string{"garden": garden.Name}
			bed.Data = map[string]string{"bed": fmt.Sprint(i)}
			return controllerutil.SetControllerReference(garden, bed, g.scheme)
		})
		if err != nil {
			return ctrl.Result{}, client.IgnoreAlreadyExists(err)
		}
	}
	before := garden.DeepCopyObject().(*Garden)
	garden.Status.Ready = garden.Spec.Beds
	meta.SetStatusCondition(&garden.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Dug", ObservedGeneration: garden.Generation})
	return ctrl.Result{}, g.Status().Patch(ctx, garden, client.MergeFrom(before))
}

func TestReconciler(t *testing.T) {
	ctx, _, ns := cluster(t)
	config := restConfig(t)
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, apiextensionsv1.AddToScheme(scheme))
	scheme.AddKnownTypes(gardenVersion, &Garden{}, &GardenList{})
	metav1.AddToGroupVersion(scheme, gardenVersion)

	// As operators' own tests install their definitions: made, and waited for in discovery.
	_, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Scheme: scheme, CRDs: []*apiextensionsv1.CustomResourceDefinition{gardenDefinition()}})
	must(t, err)
	defer func() {
		must(t, envtest.UninstallCRDs(config, envtest.CRDInstallOptions{Scheme: scheme, CRDs: []*apiextensionsv1.CustomResourceDefinition{gardenDefinition()}}))
	}()

	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:          cache.Options{DefaultNamespaces: map[string]cache.Config{ns: {}}},
		LeaderElection: true, LeaderElectionID: "gardener", LeaderElectionNamespace: ns, LeaderElectionReleaseOnCancel: true,
	})
	must(t, err)
	must(t, ctrl.NewControllerManagedBy(manager).For(&Garden{}).Owns(&corev1.ConfigMap{}).Complete(&gardener{manager.GetClient(), scheme}))
	managerCtx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(managerCtx) }()
	defer func() { stop(); must(t, <-ended) }()

	direct, err := client.New(config, client.Options{Scheme: scheme})
	must(t, err)
	key := client.ObjectKey{Namespace: ns, Name: "kale"}
	garden := &Garden{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "kale"}}
	must(t, direct.Create(ctx, garden))
	if garden.Spec.Beds != 2 {
		t.Errorf("the default is not there at once: %+v", garden.Spec)
	}
	get := func() *Garden {
		now := &Garden{}
		if err := direct.Get(ctx, key, now); err != nil {
			return nil
		}
		return now
	}
	until(t, ctx, "status of 2 beds", func() bool { now := get(); return now != nil && now.Status.Ready == 2 })

	// What it owns comes back when somebody takes it away.
	bed := &corev1.ConfigMap{}
	must(t, direct.Get(ctx, client.ObjectKey{Namespace: ns, Name: "kale-1"}, bed))
	must(t, direct.Delete(ctx, bed))
	until(t, ctx, "the bed again", func() bool {
		again := &corev1.ConfigMap{}
		return direct.Get(ctx, client.ObjectKeyFromObject(bed), again) == nil && again.UID != bed.UID
	})

	must(t, direct.Patch(ctx, garden, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"beds":3},"status":{"ready":99}}`))))
	until(t, ctx, "3 beds", func() bool {
		now := get()
		return now != nil && now.Status.Ready == 3 && now.Status.Conditions[0].ObservedGeneration == now.Generation
	})

	must(t, direct.Delete(ctx, garden))
	until(t, ctx, "gone, and its beds", func() bool {
		beds := &corev1.ConfigMapList{}
		err := direct.List(ctx, beds, client.InNamespace(ns), client.MatchingLabels{"garden": "kale"})
		return apierrors.IsNotFound(direct.Get(ctx, key, &Garden{})) && err == nil && len(beds.Items) == 0
	})
}
