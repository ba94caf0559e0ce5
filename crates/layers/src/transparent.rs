//! Modules that are another module with another way to compute.

/// Implements Burn's `Module` for a struct that holds one module and settings, so that no path, name or record shows
/// the wrapper.
macro_rules! transparent {
    ($wrapper:ident { $inner:ident $(, $setting:ident)* }) => {
        impl burn::module::Module for $wrapper {
            fn visit<V: burn::module::ModuleVisitor>(&self, visitor: &mut V) {
                self.$inner.visit(visitor);
            }

            fn map<M: burn::module::ModuleMapper>(self, mapper: &mut M) -> Self {
                Self { $inner: self.$inner.map(mapper) $(, $setting: self.$setting)* }
            }

            fn collect_devices(&self, devices: burn::module::Devices) -> burn::module::Devices {
                self.$inner.collect_devices(devices)
            }

            fn fork(self, device: &burn::tensor::Device) -> Self {
                Self { $inner: self.$inner.fork(device) $(, $setting: self.$setting)* }
            }

            fn to_device(self, device: &burn::tensor::Device) -> Self {
                Self { $inner: self.$inner.to_device(device) $(, $setting: self.$setting)* }
            }

            fn train(self) -> Self {
                Self { $inner: self.$inner.train() $(, $setting: self.$setting)* }
            }

            fn valid(&self) -> Self {
                Self { $inner: self.$inner.valid() $(, $setting: self.$setting)* }
            }

            fn materialize(self) -> Self {
                Self { $inner: self.$inner.materialize() $(, $setting: self.$setting)* }
            }
        }
    };
}

/// Makes a struct with the field `inner` behave as the module of Burn in it: as a module, when printed, and by
/// its fields.
macro_rules! drop_in {
    ($wrapper:ident for $burns:ty) => {
        $crate::transparent::transparent!($wrapper { inner });

        impl From<$burns> for $wrapper {
            fn from(inner: $burns) -> Self {
                Self { inner }
            }
        }

        impl From<$wrapper> for $burns {
            fn from(layer: $wrapper) -> Self {
                layer.inner
            }
        }

        impl std::ops::Deref for $wrapper {
            type Target = $burns;

            fn deref(&self) -> &Self::Target {
                &self.inner
            }
        }

        impl std::ops::DerefMut for $wrapper {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.inner
            }
        }

        impl burn::module::ModuleDisplayDefault for $wrapper {
            fn content(&self, content: burn::module::Content) -> Option<burn::module::Content> {
                self.inner.content(content)
            }

            fn num_params(&self) -> usize {
                burn::module::Module::num_params(&self.inner)
            }
        }

        impl burn::module::ModuleDisplay for $wrapper {
            fn custom_settings(&self) -> Option<burn::module::DisplaySettings> {
                self.inner.custom_settings()
            }

            fn custom_content(&self, content: burn::module::Content) -> Option<burn::module::Content> {
                self.inner.custom_content(content)
            }
        }

        impl std::fmt::Display for $wrapper {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.inner.fmt(f)
            }
        }
    };
}

pub(crate) use {drop_in, transparent};
