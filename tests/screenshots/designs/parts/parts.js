// Drawn parts that every phone has: the status bar, switches, line icons, pictures of goods.
const svg = (w, h, view, inner, extra = "") =>
  `<svg width="${w}" height="${h}" viewBox="0 0 ${view}" fill="none" ${extra}>${inner}</svg>`;

const element = (name, draw) =>
  customElements.define(name, class extends HTMLElement {
    connectedCallback() { draw(this, (key, other) => this.getAttribute(key) ?? other); }
  });

const SIGNAL = [3, 5.5, 8, 11].map((h, i) => `<rect x="${i * 5}" y="${11 - h}" width="3.4" height="${h}" rx="1" fill="currentColor"/>`).join("");
const WIFI = `<path d="M8 11.2 5.6 8.6a3.6 3.6 0 0 1 4.8 0zM3.6 6.6a6.4 6.4 0 0 1 8.8 0M1.2 4a9.8 9.8 0 0 1 13.6 0" stroke="currentColor" stroke-width="1.7"/>`;

element("status-bar", (bar, get) => {
  const level = Number(get("battery", "80"));
  const battery = svg(26, 12, "26 12", `<rect x=".5" y=".5" width="22" height="11" rx="3.2" stroke="currentColor" opacity=".5"/><rect x="2" y="2" width="${19 * level / 100}" height="8" rx="1.8" fill="currentColor"/><path d="M24 4v4c.9-.3 1.5-1.100 1.500-2s-.6-1.700-1.500-2z" fill="currentColor" opacity=".5"/>`);
  const icons = `<span class="row" style="gap:5px">${svg(19, 11, "19 11", SIGNAL)}${svg(16, 12, "16 12", WIFI)}`;
  if (get("kind", "ios") === "ios") {
    bar.style.cssText += "height:44px;padding:6px 22px 0 30px;font-weight:bold;font-size:15px";
    bar.innerHTML = `<span>${get("time", "9:41")}</span>${icons}${battery}</span>`;
  } else {
    bar.style.cssText += "height:28px;padding:0 14px;font-size:12px";
    bar.innerHTML = `<span>${get("time", "9:41")}${get("note", "") ? ` <small>${get("note", "")}</small>` : ""}</span>${icons}<span>${get("net", "5G")}</span><span>${level}%</span>${battery}</span>`;
  }
});

element("toggle-switch", (box, get) => {
  const on = box.hasAttribute("on"), h = Number(get("size", "30")), w = Math.round(h * Number(get("ratio", "1.65")));
  const color = on ? get("color", "#34c759") : get("off", "#e3e3e6");
  box.style.cssText += `width:${w}px;height:${h}px;border-radius:${h}px;background:${color}`;
  box.innerHTML = `<i style="position:absolute;top:2px;${on ? "right" : "left"}:2px;width:${h - 4}px;height:${h - 4}px;border-radius:50%;background:#fff;box-shadow:0 1px 3px rgba(0,0,0,.25)"></i>`;
});

const LINES = {
  back: "M15 4l-8 8 8 8", next: "M9 5l7 7-7 7", down: "M5 9l7 7 7-7", close: "M5 5l14 14M19 5L5 19", check: "M4 12.500l5.500 5.500L20 6.500",
  more: "M5 12h.01M12 12h.01M19 12h.01", plus: "M12 4v16M4 12h16", minus: "M4 12h16", menu: "M4 6h16M4 12h16M4 18h16",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20", cart: "M3 4h3l2.500 11h10L21 7H7M10 20h.01M17 20h.01",
  heart: "M12 20S4 15 4 9a4 4 0 0 1 8-1 4 4 0 0 1 8 1c0 6-8 11-8 11z", star: "M12 4l2.500 5.300 5.700.7-4.200 4 1.100 5.700L12 16.900 6.900 19.700 8 14 3.800 10l5.700-.7z",
  pin: "M12 21s7-6.500 7-11.500a7 7 0 0 0-14 0C5 14.500 12 21 12 21zM12 7a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z",
  phone: "M6 3h3l2 5-2.500 1.500a12 12 0 0 0 6 6L16 13l5 2v3a3 3 0 0 1-3 3A16 16 0 0 1 3 6a3 3 0 0 1 3-3z", headset: "M4 14v-2a8 8 0 0 1 16 0v2M4 14h3v5H5a1 1 0 0 1-1-1zM20 14h-3v5h2a1 1 0 0 0 1-1z",
  shop: "M4 9l1.500-5h13L20 9M4 9a2.700 2.700 0 0 0 5.300 0 2.700 2.700 0 0 0 5.400 0A2.700 2.700 0 0 0 20 9M5 12v8h14v-8", truck: "M2 6h12v10H2zM14 9h4l4 4v3h-8M6 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM18 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  box: "M12 3l8 4v10l-8 4-8-4V7zM4 7l8 4 8-4M12 11v10", home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z", user: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 21c0-4.500 3.500-7 8-7s8 2.500 8 7",
  alert: "M12 4L2.500 20h19zM12 10v5M12 17.500h.01", info: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v6M12 7.500h.01", mail: "M3 5h18v14H3zM3 6l9 7 9-7", bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.500 2", camera: "M3 7h5l1.500-2.500h5L16 7h5v13H3zM12 9.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z", mic: "M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 12a7 7 0 0 0 14 0M12 19v3",
  share: "M12 15V3M8 7l4-4 4 4M5 12v8h14v-8", copy: "M8 8h12v12H8zM16 8V4H4v12h4", face: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9 10h.01M15 10h.01M8 14c1 2 2.500 2.500 4 2.500s3-.5 4-2.500", lock: "M6 11h12v10H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2", cloud: "M7 18a4.500 4.500 0 0 1 .5-9 6 6 0 0 1 11.300 2A3.500 3.500 0 0 1 18 18z",
};
element("ui-icon", (icon, get) => {
  const size = get("size", "20");
  icon.innerHTML = svg(size, size, "24 24", `<path d="${LINES[get("name", "next")]}"/>`, `stroke="${get("color", "currentColor")}" stroke-width="${get("weight", get("name", "next") === "more" ? "3" : "1.8")}" stroke-linecap="round" stroke-linejoin="round"`);
});

const SHAPES = {
  shirt: "M35 20l15 8 15-8 20 14-9 16-8-4v38H32V46l-8 4-9-16z", shoe: "M12 58c10 0 14-8 16-20l12 4c4 12 14 18 30 20 12 2 18 6 18 14H12z", bottle: "M42 12h16v14l8 12v46a4 4 0 0 1-4 4H38a4 4 0 0 1-4-4V38l8-12z",
  phone: "M32 10h36a6 6 0 0 1 6 6v68a6 6 0 0 1-6 6H32a6 6 0 0 1-6-6V16a6 6 0 0 1 6-6z", cup: "M24 26h46v42a12 12 0 0 1-12 12H36a12 12 0 0 1-12-12zM70 36h8a8 8 0 0 1 0 24h-8", bag: "M22 36h56l6 50H16zM36 36a14 14 0 0 1 28 0", book: "M22 16h50a6 6 0 0 1 6 6v62H28a6 6 0 0 1-6-6z",
  bowl: "M12 46h76a38 34 0 0 1-76 0zM38 36c-6-8 6-10 0-20M56 36c-6-8 6-10 0-20", headphones: "M18 62V52a32 32 0 0 1 64 0v10M18 58h14v26H24a6 6 0 0 1-6-6zM82 58H68v26h8a6 6 0 0 0 6-6z", box: "M50 12l36 18v42L50 90 14 72V30z", lamp: "M34 14h32l14 34H20zM48 48h4v30h14v8H34v-8h14z", chair: "M28 12h10v40h34v36h-8V62H36v26h-8z", fruit: "M50 30c20-14 36 2 32 24-3 20-18 36-32 32-14 4-29-12-32-32-4-22 12-38 32-24zM50 30c0-8 4-14 12-18",
};
element("item-pic", (pic, get) => {
  const size = Number(get("size", "80")), hue = Number(get("hue", "20")), id = `g${hue}${size}`;
  pic.style.cssText += `width:${size}px;height:${size}px;border-radius:${get("round", "6")}px`;
  pic.innerHTML = svg(size, size, "100 100", `<defs><linearGradient id="${id}" x1="0" y1="0" x2="1" y2="1"><stop stop-color="hsl(${hue} 40% 94%)"/><stop offset="1" stop-color="hsl(${hue + 25} 38% 84%)"/></linearGradient></defs><rect width="100" height="100" fill="url(#${id})"/><path d="${SHAPES[get("shape", "box")]}" fill="hsl(${hue} 45% 62%)" stroke="hsl(${hue} 45% 40%)" stroke-width="2.500"/>`);
});
element("app-icon", (icon, get) => {
  const size = Number(get("size", "56")), hue = get("hue", "210");
  icon.style.cssText += `width:${size}px;height:${size}px;border-radius:${get("round", Math.round(size * .23))}px;background:linear-gradient(160deg,hsl(${hue} 80% 62%),hsl(${hue} 75% 45%));color:#fff;font:bold ${Math.round(size * .5)}px/${size}px "Liberation Sans","Noto Sans CJK SC";text-align:center`;
  icon.innerHTML = get("icon") ? `<div style="padding:${Math.round(size * .2)}px">${svg(size * .6, size * .6, "24 24", `<path d="${LINES[get("icon")]}"/>`, 'stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"')}</div>` : get("letter", "");
});
