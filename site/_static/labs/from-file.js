// A plain script: modules do not run in a page that was opened from a file, and this says so.
if (location.protocol === "file:") {
  for (const place of document.querySelectorAll(".lab-from-file")) {
    place.hidden = false;
    place.textContent =
      "This page was opened from a file. Browsers let such a page read no other file, and the lab has to read its network. " +
      "Serve the site's folder, for example with: python -m http.server --directory FOLDER, and open http://localhost:8000.";
  }
  for (const status of document.querySelectorAll("[role=status]")) status.textContent = "The lab does not run here.";
}
