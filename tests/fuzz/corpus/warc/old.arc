filedesc://a.arc 0.0.0.0 19960923142103 text/plain 75
1 0 Alexa Internet
URL IP-address Archive-date Content-type Archive-length

http://a.example/ 1.2.3.4 19960923142103 text/html 56
HTTP/1.0 200 OK
Content-Type: text/html

<p>old page</p>
