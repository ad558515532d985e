// The live picture, with the circle that the eye is to fill and the one that was found.

const TARGET_SHARE = 0.92; // of the frame's shorter side; less than 0.6 is too far
const NEXT_MS = 60;
const NOTHING_MS = 200;

/** Draws on `canvas` until `signal` is aborted; `isGood()` chooses the found circle's look. */
export async function follow(canvas, service, signal, isGood) {
  clear(canvas);
  let after = 0;
  while (!signal.aborted) {
    let frame = null;
    try {
      frame = await service.preview(after, signal);
    } catch {
      // What is wrong is said by the capture itself.
    }
    if (signal.aborted) break;
    if (frame) {
      after = frame.number;
      draw(canvas, frame, isGood());
      frame.picture.close();
    }
    await new Promise((resolve) => setTimeout(resolve, frame ? NEXT_MS : NOTHING_MS));
  }
  clear(canvas);
}

function clear(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  canvas.dataset.frames = "0";
}

function draw(canvas, { picture, fov }, good) {
  const { width, height } = picture;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const shorter = Math.min(width, height);
  const style = getComputedStyle(canvas);
  context.drawImage(picture, 0, 0);
  circle(context, width / 2, height / 2, (shorter * TARGET_SHARE) / 2, {
    colour: style.getPropertyValue("--text"),
    line: shorter / 200,
    dash: shorter / 40,
  });
  if (fov) {
    const [x, y, radius] = fov;
    circle(context, x * width, y * height, radius * width, {
      colour: style.getPropertyValue(good ? "--good" : "--warn"),
      line: shorter / (good ? 70 : 120),
      dash: 0,
    });
  }
  canvas.dataset.frames = String(Number(canvas.dataset.frames) + 1);
}

function circle(context, x, y, radius, { colour, line, dash }) {
  context.beginPath();
  context.setLineDash(dash ? [dash, dash] : []);
  context.lineWidth = line;
  context.strokeStyle = colour;
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.stroke();
}
