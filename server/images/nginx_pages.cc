#include "server/images/builtins.h"

namespace server::images {

const char* nginx_welcome_page() {
  return R"(<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
body { max-width: 36em; margin: 2em auto; font-family: sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page comes from kubelan's built-in nginx: the pod runs and its network works.</p>
<p>Mount a volume with your own files at <code>/usr/share/nginx/html</code> to serve them instead.</p>
</body>
</html>
)";
}

const char* nginx_trouble_page() {
  return R"(<!DOCTYPE html>
<html>
<head>
<title>Error</title>
</head>
<body>
<h1>Something went wrong.</h1>
<p>The server could not answer this request. Its log may say why.</p>
</body>
</html>
)";
}

}  // namespace server::images
